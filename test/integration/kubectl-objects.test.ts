// Real kubectl, three releases of it, about objects: what it makes, how it is defaulted and refused, what is told of it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { allKinds, type Deployment, type Pod, type Service } from '../../src/resources/kinds.ts';
import { type ListeningApi, startListeningApi } from './api-server.ts';
import { allKubectlVersions, createKubectl, type Kubectl, type KubectlVersion } from './kubectl.ts';
import { richManifest } from './rich-manifest.ts';

for (const version of allKubectlVersions) describe(`objects with kubectl 1.${version}`, () => suite(version));

function suite(version: KubectlVersion): void {
  let server: ListeningApi;
  let kubectl: Kubectl;

  before(async () => {
    server = await startListeningApi();
    kubectl = await createKubectl(version, [`--server=${server.url}`]);
  });
  after(async () => {
    await kubectl.remove();
    await server.stop();
  });

  const object = async <T>(...args: string[]) => JSON.parse(await kubectl.ok(['get', '-o', 'json', ...args])) as T;
  const containerOf = async () => {
    const deployment = await object<Deployment>('deployment', 'd');
    return deployment.spec.template.spec!.containers[0]!;
  };

  test('a rich manifest is applied with warnings, and applied again nothing changes', async () => {
    const applied = await kubectl.run(['apply', '-f', '-'], richManifest);
    assert.equal(applied.code, 0, applied.stderr);
    assert.match(applied.stderr, /Warning: spec\.template\.spec\.affinity\.podAntiAffinity\.preferred\S+: accepted/);
    assert.match(applied.stderr, /Warning: .*resources\.requests\[ephemeral-storage\]: accepted, and not done/);
    const versions = async () => {
      const kinds = 'cm,secret,sa,svc,netpol,ing,pdb,role,rolebinding,deploy';
      return await kubectl.ok(['get', kinds, '-n', 'rich', '-o', 'jsonpath={.items[*].metadata.resourceVersion}']);
    };
    const before = await versions();
    const again = await kubectl.ok(['apply', '-f', '-'], richManifest);
    const sent = again.split('\n').filter((line) => line !== '' && !line.endsWith(' unchanged'));
    // Its selector is replaced as a whole: kubectl sends it each time, to any server.
    assert.deepEqual(sent, ['poddisruptionbudget.policy/web configured']);
    assert.equal(await versions(), before);
    const difference = await kubectl.run(['diff', '-f', '-'], richManifest);
    assert.equal(difference.code, 0, difference.stdout);
    const server = await kubectl.run(['apply', '--server-side', '--force-conflicts', '-f', '-'], richManifest);
    assert.equal(server.code, 0, server.stderr);
    assert.equal((await kubectl.run(['diff', '--server-side', '--force-conflicts', '-f', '-'], richManifest)).code, 0);
  });

  test('a service changes its type, keeps what it was given, and is refused in Kubernetes’ words', async () => {
    const file = (spec: string) => `apiVersion: v1\nkind: Service\nmetadata: {name: open}\nspec: ${spec}`;
    const nodePort = file('{type: NodePort, ports: [{name: http, port: 80, targetPort: 8080}], selector: {a: b}}');
    await kubectl.ok(['apply', '-f', '-'], nodePort);
    const { spec } = await object<Service>('service', 'open');
    const [port] = spec.ports ?? [];
    const row = (await kubectl.ok(['get', 'service', 'open', '--no-headers'])).split(/\s+/).slice(0, 5);
    assert.deepEqual(row, ['open', 'NodePort', spec.clusterIP, '<none>', `80:${port?.nodePort}/TCP`]);
    assert.equal(await kubectl.ok(['apply', '-f', '-'], nodePort), 'service/open unchanged\n');
    const balancer = nodePort.replace('NodePort', 'LoadBalancer');
    assert.equal((await kubectl.run(['diff', '-f', '-'], balancer)).code, 1);
    await kubectl.ok(['apply', '-f', '-'], balancer);
    const after = await object<Service>('service', 'open');
    assert.deepEqual([after.spec.clusterIP, after.spec.ports?.[0]?.nodePort], [spec.clusterIP, port?.nodePort]);
    const refused = async (text: string) => (await kubectl.run(['apply', '-f', '-'], file(text))).stderr;
    assert.match(
      await refused('{clusterIP: 10.96.9.9, type: NodePort, ports: [{port: 80}]}'),
      /spec\.clusterIPs\[0\]: Invalid value: \["10\.96\.9\.9"\]: may not change once set/,
    );
    const dry = ['create', 'service', 'nodeport', 'dry', '--tcp=80', '--dry-run=server', '-o', 'json'];
    assert.ok((JSON.parse(await kubectl.ok(dry)) as Service).spec.ports?.[0]?.nodePort);
    const taken = ['create', 'service', 'nodeport', 'taken', '--tcp=80', `--node-port=${port?.nodePort}`];
    assert.match((await kubectl.run(taken)).stderr, /nodePort: Invalid value: \d+: provided port is already allocated/);
    await kubectl.ok(['create', 'service', 'externalname', 'outside', '--external-name=db.example']);
    assert.match(await kubectl.ok(['get', 'service', 'outside']), /ExternalName +<none> +db\.example +<none>/);
  });

  test('generators', async () => {
    await kubectl.ok(['create', 'namespace', 'shop']);
    await kubectl.ok(['create', 'configmap', 'c', '--from-literal=a=b', '--from-file=f=/etc/hostname']);
    await kubectl.ok(['create', 'secret', 'generic', 's', '--from-literal=a=b']);
    await kubectl.ok([
      ...['create', 'secret', 'docker-registry', 'r', '--docker-username=u', '--docker-password=p'],
      '--docker-server=registry.example',
    ]);
    await kubectl.ok(['create', 'deployment', 'd', '--image=nginx:1', '--replicas=2', '--port=80']);
    await kubectl.ok(['create', 'service', 'clusterip', 'plain', '--tcp=80:8080', '--clusterip=None']);
    await kubectl.ok(['create', 'serviceaccount', 'robot']);
    await kubectl.ok(['create', 'role', 'r', '--verb=get,list', '--resource=pods,deployments.apps']);
    await kubectl.ok(['create', 'rolebinding', 'r', '--role=r', '--serviceaccount=default:robot']);
    await kubectl.ok(['create', 'clusterrole', 'r', '--verb=get', '--resource=nodes']);
    await kubectl.ok(['create', 'clusterrolebinding', 'r', '--clusterrole=r', '--user=bob']);
    await kubectl.ok(['create', 'poddisruptionbudget', 'p', '--selector=app=d', '--min-available=1']);
    await kubectl.ok(['run', 'one', '--image=busybox:1', '--restart=Never', '--env=A=1', '--', 'sleep', '1']);
    const pod = await object<Pod>('pod', 'one');
    assert.equal(pod.spec.restartPolicy, 'Never');
    assert.deepEqual(pod.spec.containers[0]?.args, ['sleep', '1']);
    const { data } = await object<{ data: Record<string, string> }>('secret', 'r');
    assert.match(Buffer.from(data['.dockerconfigjson'] ?? '', 'base64').toString(), /registry\.example/);
  });

  test('kinds that are not served are named', async () => {
    for (const [args, what] of [
      [
        ['autoscale', 'deployment', 'd', '--max=3'],
        version === '35' ? 'autoscaling/v2' : 'could not find the requested',
      ],
      [['create', 'job', 'j', '--image=i'], 'the server could not find the requested resource'],
      [['get', 'statefulsets'], `the server doesn't have a resource type "statefulsets"`],
    ] as const) {
      const refused = await kubectl.run(args);
      assert.equal(refused.code, 1, args.join(' '));
      assert.ok(refused.stderr.includes(what), refused.stderr);
    }
    const manifest = 'apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: d}\nspec: {}\n';
    const refused = await kubectl.run(['apply', '-f', '-'], manifest);
    assert.match(refused.stderr, /no matches for kind "HorizontalPodAutoscaler" in version "autoscaling\/v2"/);
  });

  test('set image, env, resources; expose', async () => {
    await kubectl.ok(['set', 'image', 'deployment/d', 'nginx=nginx:2']);
    await kubectl.ok(['set', 'env', 'deployment/d', 'A=1', 'B=2']);
    await kubectl.ok(['set', 'env', 'deployment/d', '--from=configmap/c', '--prefix=C_']);
    await kubectl.ok(['set', 'env', 'deployment/d', 'B-']);
    await kubectl.ok(['set', 'resources', 'deployment/d', '--limits=cpu=200m,memory=64Mi', '--requests=cpu=100m']);
    const container = await containerOf();
    assert.equal(container.image, 'nginx:2');
    const env = container.env?.map(
      ({ name, value, valueFrom }) => `${name}=${value ?? valueFrom?.configMapKeyRef?.key}`,
    );
    assert.deepEqual(env?.sort(), ['A=1', 'C_A=a', 'C_F=f']);
    assert.deepEqual(container.resources, { limits: { cpu: '200m', memory: '64Mi' }, requests: { cpu: '100m' } });
    await kubectl.ok(['expose', 'deployment', 'd', '--port=8080', '--target-port=80', '--name=front']);
    const { spec } = await object<Service>('service', 'front');
    assert.deepEqual(spec.ports, [{ port: 8080, protocol: 'TCP', targetPort: 80 }]);
    assert.deepEqual(spec.selector, { app: 'd' });
    await kubectl.ok(['set', 'selector', 'service', 'front', 'app=other']);
    await kubectl.ok(['set', 'serviceaccount', 'deployment/d', 'default']);
  });

  test('what is wrong is said as Kubernetes says it', async () => {
    const wrong = async (args: readonly string[], pattern: RegExp, stdin?: string) => {
      const { code, stderr } = await kubectl.run(args, stdin);
      assert.equal(code, 1);
      assert.match(stderr, pattern);
    };
    const patch = (body: object) => ['patch', 'deployment', 'd', '-p', JSON.stringify(body)];
    await wrong(
      patch({ spec: { selector: { matchLabels: { app: 'x' } } } }),
      /spec\.selector: Invalid value: .*field is immutable/,
    );
    await wrong(
      patch({ spec: { template: { metadata: { labels: { app: 'x' } } } } }),
      /The Deployment "d" is invalid: spec\.template\.metadata\.labels: Invalid value: \{.*\}: `selector` does not match template `labels`/,
    );
    await wrong(
      patch({ spec: { replicas: -1 } }),
      /spec\.replicas: Invalid value: -1: must be greater than or equal to 0/,
    );
    await wrong(['scale', 'deployment', 'd', '--replicas=-1'], /replicas/);
    await wrong(['create', 'configmap', 'A_b'], /metadata\.name: Invalid value: "A_b": a lowercase RFC 1123 subdomain/);
    await wrong(['label', 'deployment', 'd', 'a=b c'], /invalid label value|a valid label must be/);
    await wrong(
      ['patch', 'pod', 'one', '-p', '{"spec":{"hostname":"x"}}'],
      /spec: Forbidden: pod updates may not change fields other than/,
    );
    const hosts = `${richManifest.replaceAll('rich', 'other')}`.replace(
      'image: nginx:1.27',
      'image: nginx:1.27\n        foo: 1',
    );
    await wrong(['apply', '-f', '-'], /unknown field "spec\.template\.spec\.containers\[0\]\.foo"/, hosts);
  });

  test('explain knows every kind, to its leaves', async () => {
    // The documents are the same for all releases: one of them reads all kinds.
    for (const kind of version === '35' ? allKinds : allKinds.slice(0, 3)) {
      const text = await kubectl.ok([
        'explain',
        `${kind.plural}${kind.group === '' ? '' : `.${kind.group}`}`,
        '--recursive',
      ]);
      assert.match(text, new RegExp(`KIND: +${kind.kind}\n`), kind.kind);
      assert.match(text, /metadata\s+<ObjectMeta>/);
    }
    const containers = await kubectl.ok(['explain', 'pod.spec.containers', '--recursive']);
    assert.match(containers, /imagePullPolicy\s+<string>/);
    assert.match(containers, /configMapKeyRef\s+<ConfigMapKeySelector>/);
    const policy = await kubectl.ok(['explain', 'pod.spec.restartPolicy']);
    assert.match(policy, /FIELD: restartPolicy <string>/);
    assert.match(policy, /Whether a container that ended is started again/);
    if (version !== '28') assert.match(policy, /ENUM:\s+Always\s+Never\s+OnFailure|ENUM:\s+Always\s+OnFailure\s+Never/);
    const parts = await kubectl.ok(['explain', 'deployment.spec.template.spec.containers']);
    assert.match(parts, /name\s+<string> -required-/);
  });

  test('api-resources and api-versions', async () => {
    const wide = await kubectl.ok(['api-resources', '-o', 'wide']);
    for (const kind of allKinds) {
      const names = [kind.plural, kind.shortNames.join(','), `${kind.group && `${kind.group}/`}${kind.version}`];
      const pattern = [...names.filter((one) => one !== ''), String(kind.namespaced), kind.kind, kind.verbs.join(',')];
      assert.match(wide, new RegExp(`^${pattern.join(' +')}`, 'm'), kind.kind);
    }
    assert.match(wide, /^pods .* all$/m);
    const deletable = await kubectl.ok(['api-resources', '--verbs=deletecollection', '-o', 'name']);
    assert.ok(deletable.includes('pods\n') && !deletable.includes('namespaces\n'));
    const versions = (await kubectl.ok(['api-versions'])).trim().split('\n');
    for (const one of ['apps/v1', 'v1', 'policy/v1', 'flotilla.dev/v1alpha1']) assert.ok(versions.includes(one), one);
    assert.equal(versions.includes('autoscaling/v1'), false);
  });

  test('get and describe each kind', async () => {
    for (const kind of allKinds.filter(({ verbs }) => verbs.includes('list'))) {
      const name = `${kind.plural}.${kind.version}.${kind.group}`;
      const got = await kubectl.run(['get', kind.group === '' ? kind.plural : name, '-A', '-o', 'wide']);
      assert.equal(got.code, 0, got.stderr);
      if (got.stdout === '') continue;
      const [header = ''] = got.stdout.split('\n');
      const columns = kind.columns.map((one) => one.name.toUpperCase());
      assert.equal(
        header.trim().split(/ {2,}/).join(','),
        [...(kind.namespaced ? ['NAMESPACE'] : []), ...columns].join(','),
      );
      if (version !== '35') continue;
      assert.equal((await kubectl.run(['describe', kind.group === '' ? kind.plural : name, '-A'])).code, 0, kind.kind);
    }
  });
}
