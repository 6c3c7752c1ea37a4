/** One object of each kind that people write, with most of what may stand in it, as a chart would say it. */
export const richManifest = `apiVersion: v1
kind: Namespace
metadata: {name: rich, labels: {team: shop}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: rich}
data: {a: "1", multi: "x\\ny\\n"}
binaryData: {raw: AAEC}
---
apiVersion: v1
kind: Secret
metadata: {name: credentials, namespace: rich}
data: {password: aHVudGVyMg==}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: rich}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: rich}
spec:
  selector: {app: web}
  ports:
  - {name: http, port: 8080, targetPort: http}
  - {name: dns, port: 53, protocol: UDP}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: rich}
spec: {minAvailable: 50%, selector: {matchLabels: {app: web}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: rich}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from:
    - podSelector: {matchLabels: {app: shop}}
      namespaceSelector: {matchExpressions: [{key: team, operator: In, values: [shop]}]}
    - ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.8/29]}
    ports:
    - {port: http, protocol: TCP}
    - {port: 8000, endPort: 8010, protocol: UDP}
  egress:
  - to: [{namespaceSelector: {}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: rich}
spec:
  ingressClassName: flotilla
  tls: [{hosts: [rich.example.org], secretName: web-tls}]
  defaultBackend: {service: {name: web, port: {number: 8080}}}
  rules:
  - host: rich.example.org
    http:
      paths:
      - {path: /api, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}
      - {path: /login, pathType: Exact, backend: {service: {name: web, port: {number: 8080}}}}
  - host: '*.rich.example.org'
    http: {paths: [{pathType: ImplementationSpecific, backend: {service: {name: web, port: {name: http}}}}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: rich}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: rich}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: web}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: rich, labels: {app: web}, annotations: {note: "a b"}}
spec:
  replicas: 2
  minReadySeconds: 1
  selector: {matchLabels: {app: web}, matchExpressions: [{key: app, operator: Exists}]}
  strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}, annotations: {checksum/config: abc}}
    spec:
      terminationGracePeriodSeconds: 5
      nodeSelector: {kubernetes.io/os: linux}
      tolerations: [{key: dedicated, operator: Exists, effect: NoSchedule}]
      hostAliases: [{ip: 10.0.0.1, hostnames: [db.example]}]
      imagePullSecrets: [{name: registry}]
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
          - weight: 100
            podAffinityTerm: {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {app: web}}}
      containers:
      - name: web
        image: nginx:1.27
        args: [-g, daemon off;]
        ports: [{name: http, containerPort: 80}, {containerPort: 53, protocol: UDP}]
        env:
        - {name: A, value: "1"}
        - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
        - {name: PASSWORD, valueFrom: {secretKeyRef: {name: credentials, key: password}}}
        envFrom: [{configMapRef: {name: settings, optional: true}}]
        resources: {limits: {cpu: 500m, memory: 128Mi}, requests: {cpu: 100m, ephemeral-storage: 50Mi}}
        securityContext: {runAsUser: 101, runAsNonRoot: true, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
        livenessProbe: {httpGet: {port: http, path: /healthz}, initialDelaySeconds: 3}
        readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 2}
        volumeMounts:
        - {name: settings, mountPath: /etc/settings, readOnly: true}
        - {name: cache, mountPath: /cache}
      volumes:
      - {name: settings, configMap: {name: settings, items: [{key: a, path: a.conf}]}}
      - {name: cache, emptyDir: {medium: Memory, sizeLimit: 16Mi}}
      - {name: host, hostPath: {path: /var/lib/web}}
`;
