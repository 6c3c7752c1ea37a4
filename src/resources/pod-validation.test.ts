import { pods } from './kinds.ts';
import {
  type Case,
  configKeyText,
  container,
  exec,
  header,
  inits,
  ip,
  label,
  long,
  metadata,
  mode,
  mounted,
  namePart,
  notNegative,
  pod,
  podWith,
  port,
  ports,
  probed,
  subdomain,
  testCases,
  unixId,
  variable,
  variables,
  volumes,
} from './validation-cases.ts';

testCases(
  {
    pods: [
      pods,
      [
        [{ metadata }, 'spec: Required value'],
        [pod({ containers: [] }), 'spec.containers: Required value'],
        [
          pod({ restartPolicy: 'Sometimes' }),
          'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
        ],
        [pod({ nodeName: 'A' }), `spec.nodeName: Invalid value: "A": ${subdomain}`],
        [pod({ hostname: 'a.b' }), 'spec.hostname: Invalid value: "a.b": must not contain dots'],
        [pod({ nodeSelector: { 'a b': 'c' } }), `spec.nodeSelector: Invalid value: "a b": ${namePart}`],
        [
          pod({ tolerations: [{ value: 'x' }] }),
          'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ],
        [
          pod({ tolerations: [{ key: 'a', operator: 'Exists', value: 'x' }] }),
          'spec.tolerations[0].operator: Invalid value: {"key":"a","operator":"Exists","value":"x"}: value must be empty when `operator` is \'Exists\'',
        ],
        [
          pod({ tolerations: [{ key: 'a', operator: 'Has' }] }),
          'spec.tolerations[0].operator: Unsupported value: "Has": supported values: "Equal", "Exists"',
        ],
        [
          pod({ tolerations: [{ key: 'a', effect: 'Now' }] }),
          'spec.tolerations[0].effect: Unsupported value: "Now": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
        ],
        [pod({ tolerations: [{ key: 'a b' }] }), `spec.tolerations[0].key: Invalid value: "a b": ${namePart}`],
        [
          pod({ hostAliases: [{ ip: '1.2.3', hostnames: ['a'] }] }),
          `spec.hostAliases[0].ip: Invalid value: "1.2.3": ${ip}`,
        ],
        [
          pod({ hostNetwork: true, containers: [{ ...container, ports: [{ containerPort: 1, hostPort: 2 }] }] }),
          'spec.containers[0].ports[0].containerPort: Invalid value: 1: must match `hostPort` when `hostNetwork` is true',
        ],
      ],
    ],
    'containers beside each other': [
      pods,
      [
        [pod({ containers: [container, { ...container, name: 'd' }], initContainers: [{ ...container, name: 'i' }] })],
        [
          pod({ containers: [container, { ...container, name: 'd' }, container] }),
          'spec.containers[2].name: Duplicate value: "c"',
        ],
        [pod({ initContainers: [container] }), 'spec.initContainers[0].name: Duplicate value: "c"'],
        [inits({ name: 'C' }), `spec.initContainers[0].name: Invalid value: "C": ${label}`],
        [inits({ image: '' }), 'spec.initContainers[0].image: Required value'],
        [
          inits({ restartPolicy: 'Never' }),
          'spec.initContainers[0].restartPolicy: Unsupported value: "Never": supported values: "Always"',
        ],
        [
          podWith({ restartPolicy: 'Always' }),
          'spec.containers[0].restartPolicy: Forbidden: may not be set for non-init containers',
        ],
        [
          inits({
            restartPolicy: 'Always',
            startupProbe: { exec: { command: ['a'] } },
            lifecycle: { preStop: { exec: { command: ['a'] } } },
          }),
        ],
        ...(['livenessProbe', 'readinessProbe', 'startupProbe'] as const).map(
          (probe): Case => [
            inits({ [probe]: { exec: { command: ['a'] } } }),
            `spec.initContainers[0].${probe}: Forbidden: may not be set for init containers without restartPolicy=Always`,
          ],
        ),
        [
          inits({ lifecycle: { preStop: { exec: { command: ['a'] } } } }),
          'spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always',
        ],
        [
          inits({ volumeMounts: [{ name: 'none', mountPath: '/a' }] }),
          'spec.initContainers[0].volumeMounts[0].name: Not found: "none"',
        ],
        [
          pod({
            containers: ['c', 'd'].map((name) => ({
              ...container,
              name,
              ports: [{ containerPort: 80, hostPort: 80 }],
            })),
          }),
          'spec.containers[1].ports[0].hostPort: Duplicate value: "TCP//80"',
        ],
        [
          pod({
            containers: ['c', 'd'].map((name) => ({ ...container, name, ports: [{ name: 'web', containerPort: 80 }] })),
          }),
        ],
        [
          pod({ shareProcessNamespace: true, hostPID: true }),
          'spec.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled',
        ],
      ],
    ],
    containers: [
      pods,
      [
        [podWith({ name: '' }), 'spec.containers[0].name: Required value'],
        [podWith({ name: 'C' }), `spec.containers[0].name: Invalid value: "C": ${label}`],
        [podWith({ name: 'a.b' }), 'spec.containers[0].name: Invalid value: "a.b": must not contain dots'],
        [
          podWith({ name: long(64) }),
          `spec.containers[0].name: Invalid value: "${long(64)}": must be no more than 63 characters`,
        ],
        [podWith({ image: '' }), 'spec.containers[0].image: Required value'],
        [
          podWith({ image: ' i' }),
          'spec.containers[0].image: Invalid value: " i": must not have leading or trailing whitespace',
        ],
        [
          podWith({ imagePullPolicy: 'Often' }),
          'spec.containers[0].imagePullPolicy: Unsupported value: "Often": supported values: "Always", "IfNotPresent", "Never"',
        ],
        [
          podWith({ securityContext: { runAsUser: -1 } }),
          `spec.containers[0].securityContext.runAsUser: Invalid value: -1: ${unixId}`,
        ],
        [
          podWith({ securityContext: { runAsUser: 1, runAsGroup: 2 ** 32 } }),
          `spec.containers[0].securityContext.runAsGroup: Invalid value: 4294967296: ${unixId}`,
        ],
      ],
    ],
    'container ports': [
      pods,
      [
        [ports({}), 'spec.containers[0].ports[0].containerPort: Required value'],
        [ports({ containerPort: 0 }), 'spec.containers[0].ports[0].containerPort: Required value'],
        [ports({ containerPort: 65_536 }), `spec.containers[0].ports[0].containerPort: Invalid value: 65536: ${port}`],
        [ports({ containerPort: -1 }), `spec.containers[0].ports[0].containerPort: Invalid value: -1: ${port}`],
        [
          ports({ containerPort: 80, hostPort: 65_536 }),
          `spec.containers[0].ports[0].hostPort: Invalid value: 65536: ${port}`,
        ],
        [ports({ containerPort: 80, hostPort: 0 })],
        [
          ports({ containerPort: 80, protocol: 'ICMP' }),
          'spec.containers[0].ports[0].protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP"',
        ],
        [
          ports({ containerPort: 80, name: long(16) }),
          `spec.containers[0].ports[0].name: Invalid value: "${long(16)}": must be no more than 15 characters`,
        ],
        [
          ports({ containerPort: 80, name: 'Web' }),
          'spec.containers[0].ports[0].name: Invalid value: "Web": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
        ],
        [
          ports({ containerPort: 80, name: '80' }),
          'spec.containers[0].ports[0].name: Invalid value: "80": must contain at least one letter (a-z)',
        ],
        [
          ports({ containerPort: 80, name: 'a--b' }),
          'spec.containers[0].ports[0].name: Invalid value: "a--b": must not contain consecutive hyphens',
        ],
        [
          ports({ containerPort: 80, name: 'a-' }),
          'spec.containers[0].ports[0].name: Invalid value: "a-": must not begin or end with a hyphen',
        ],
        [
          ports({ containerPort: 80, name: 'a' }, { containerPort: 81, name: 'a' }),
          'spec.containers[0].ports[1].name: Duplicate value: "a"',
        ],
        [
          ports({ containerPort: 80, hostPort: 80 }, { containerPort: 81, hostPort: 80 }),
          'spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"',
        ],
        [ports({ containerPort: 80, hostPort: 80 }, { containerPort: 80, hostPort: 80, protocol: 'UDP' })],
      ],
    ],
    variables: [
      pods,
      [
        [variables({ value: 'x' }), 'spec.containers[0].env[0].name: Required value'],
        [variables({ name: 'a=b' }), `spec.containers[0].env[0].name: Invalid value: "a=b": ${variable}`],
        [variables({ name: '1A' }, { name: 'a.b-c' })],
        [
          variables({ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }),
          'spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
        ],
        [
          variables({
            name: 'A',
            valueFrom: { secretKeyRef: { name: 's', key: 'k' }, configMapKeyRef: { name: 'c', key: 'k' } },
          }),
          'spec.containers[0].env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time',
        ],
        [
          variables({ name: 'A', valueFrom: { fieldRef: {} } }),
          'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Required value',
        ],
        [
          variables({ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.x' } } }),
          'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "spec.x": supported values: "metadata.name", ' +
            '"metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
        ],
        [
          variables({ name: 'A', valueFrom: { secretKeyRef: { key: 'k' } } }),
          'spec.containers[0].env[0].valueFrom.secretKeyRef.name: Required value',
        ],
        [
          variables({ name: 'A', valueFrom: { secretKeyRef: { name: 's' } } }),
          'spec.containers[0].env[0].valueFrom.secretKeyRef.key: Required value',
        ],
        [
          variables({ name: 'A', valueFrom: { configMapKeyRef: { name: 's', key: 'a b' } } }),
          `spec.containers[0].env[0].valueFrom.configMapKeyRef.key: Invalid value: "a b": ${configKeyText}`,
        ],
        [
          podWith({ envFrom: [{}] }),
          'spec.containers[0].envFrom[0]: Invalid value: "": must specify one of: `configMapRef` or `secretRef`',
        ],
        [
          podWith({ envFrom: [{ configMapRef: { name: 'a' }, secretRef: { name: 'b' } }] }),
          'spec.containers[0].envFrom[0]: Invalid value: "": may not have more than one field specified at a time',
        ],
        [podWith({ envFrom: [{ secretRef: {} }] }), 'spec.containers[0].envFrom[0].secretRef.name: Required value'],
      ],
    ],
    resources: [
      pods,
      [
        [
          podWith({ resources: { limits: { memory: '-1Gi' } } }),
          `spec.containers[0].resources.limits[memory]: Invalid value: "-1Gi": ${notNegative}`,
          `spec.containers[0].resources.requests[memory]: Invalid value: "-1Gi": ${notNegative}`,
        ],
        [
          podWith({ resources: { limits: { cpu: '500m' }, requests: { cpu: '1' } } }),
          'spec.containers[0].resources.requests: Invalid value: "1": must be less than or equal to cpu limit of 500m',
        ],
        [
          podWith({ resources: { limits: { memory: '1G' }, requests: { memory: '1Gi' } } }),
          'spec.containers[0].resources.requests: Invalid value: "1Gi": must be less than or equal to memory limit of 1G',
        ],
        [podWith({ resources: { limits: { cpu: '1' }, requests: { cpu: '1000m' } } })],
      ],
    ],
    probes: [
      pods,
      [
        [probed({}), 'spec.containers[0].readinessProbe: Required value: must specify a handler type'],
        [
          probed({ ...exec, tcpSocket: { port: 80 } }),
          'spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type',
        ],
        ...['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'].map(
          (name): Case => [
            probed({ ...exec, [name]: -1 }),
            `spec.containers[0].readinessProbe.${name}: Invalid value: -1: ${notNegative}`,
          ],
        ),
        [
          podWith({ livenessProbe: { ...exec, successThreshold: 2 } }),
          'spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1',
        ],
        [probed({ exec: {} }), 'spec.containers[0].readinessProbe.exec.command: Required value'],
        [probed({ httpGet: { port: 0 } }), `spec.containers[0].readinessProbe.httpGet.port: Invalid value: 0: ${port}`],
        [
          probed({ httpGet: { port: 80, scheme: 'FTP' } }),
          'spec.containers[0].readinessProbe.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"',
        ],
        [
          probed({ httpGet: { port: 80, httpHeaders: [{ name: 'A_b', value: 'x' }] } }),
          `spec.containers[0].readinessProbe.httpGet.httpHeaders[0].name: Invalid value: "A_b": ${header}`,
        ],
        [
          probed({ tcpSocket: { port: 65_536 } }),
          `spec.containers[0].readinessProbe.tcpSocket.port: Invalid value: 65536: ${port}`,
        ],
      ],
    ],
    volumes: [
      pods,
      [
        [volumes({ name: '' }), 'spec.volumes[0].name: Required value'],
        [volumes({ name: 'V' }), `spec.volumes[0].name: Invalid value: "V": ${label}`],
        [volumes({}, {}), 'spec.volumes[1].name: Duplicate value: "v"'],
        [
          volumes({ emptyDir: {}, secret: { secretName: 's' } }),
          'spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type',
        ],
        [volumes({ hostPath: { path: '' } }), 'spec.volumes[0].hostPath.path: Required value'],
        [
          volumes({ hostPath: { path: '/a/../b' } }),
          'spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain \'..\'',
        ],
        [volumes({ secret: {} }), 'spec.volumes[0].secret.secretName: Required value'],
        [
          volumes({ secret: { secretName: 's', defaultMode: 0o1000 } }),
          `spec.volumes[0].secret.defaultMode: Invalid value: 512: ${mode}`,
        ],
        [
          volumes({ configMap: { name: 'c', defaultMode: -1 } }),
          `spec.volumes[0].configMap.defaultMode: Invalid value: -1: ${mode}`,
        ],
        [volumes({ configMap: {} }), 'spec.volumes[0].configMap.name: Required value'],
        [
          volumes({ configMap: { name: 'c', items: [{ path: 'p' }] } }),
          'spec.volumes[0].configMap.items[0].key: Required value',
        ],
        [
          volumes({ configMap: { name: 'c', items: [{ key: 'k' }] } }),
          'spec.volumes[0].configMap.items[0].path: Required value',
        ],
        [
          volumes({ configMap: { name: 'c', items: [{ key: 'k', path: '/p' }] } }),
          'spec.volumes[0].configMap.items[0].path: Invalid value: "/p": must be a relative path',
        ],
        [
          volumes({ configMap: { name: 'c', items: [{ key: 'k', path: 'a/../b' }] } }),
          'spec.volumes[0].configMap.items[0].path: Invalid value: "a/../b": must not contain \'..\'',
        ],
        [
          volumes({ configMap: { name: 'c', items: [{ key: 'k', path: '..b' }] } }),
          'spec.volumes[0].configMap.items[0].path: Invalid value: "..b": must not start with \'..\'',
        ],
        [
          volumes({ configMap: { name: 'c', items: [{ key: 'k', path: 'p', mode: 512 }] } }),
          `spec.volumes[0].configMap.items[0].mode: Invalid value: 512: ${mode}`,
        ],
        [volumes({ persistentVolumeClaim: {} }), 'spec.volumes[0].persistentVolumeClaim.claimName: Required value'],
        [mounted({ mountPath: '/a' }), 'spec.containers[0].volumeMounts[0].name: Required value'],
        [mounted({ name: 'v' }), 'spec.containers[0].volumeMounts[0].mountPath: Required value'],
        [mounted({ name: 'none', mountPath: '/a' }), 'spec.containers[0].volumeMounts[0].name: Not found: "none"'],
        [
          mounted({ name: 'v', mountPath: '/a' }, { name: 'w', mountPath: '/a' }),
          'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/a": must be unique',
        ],
      ],
    ],
  },
  85,
);
