// What a pod finds in its files, and that it follows what changes outside, on a lab of one host.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { configMaps, pods as podKind, secrets } from '../../src/resources/kinds.ts';
import { type FaultHost, startFaultHost } from './fault-host.ts';
import { assertOneToOne } from './invariants.ts';
import { eventually } from './lab.ts';

const namespace = 'default';

describe('files of a pod', { timeout: 120_000 }, () => {
  let one: FaultHost;
  before(async () => {
    one = await startFaultHost('podfiles', 229);
  });
  after(() => one?.end());

  const inPod = (name: string, script: string) =>
    one.lab.flotilla(['exec', `default/${name}`, '--', 'sh', '-c', script]);
  const configMap = (text: string) => ({
    ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'conf', namespace } },
    data: { 'a.txt': text, 'b.txt': text },
  });

  it('a pod waits for its ConfigMap, says so, and starts once it is there', async () => {
    const volumes = [
      { name: 'conf', configMap: { name: 'conf' } },
      {
        name: 'all',
        projected: {
          sources: [
            { secret: { name: 'keys', optional: true } },
            { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
          ],
        },
      },
    ];
    const volumeMounts = [
      { name: 'conf', mountPath: '/conf' },
      { name: 'conf', mountPath: '/single.txt', subPath: 'a.txt' },
      { name: 'all', mountPath: '/all' },
    ];
    await one.create('reader', { volumeMounts }, { volumes });
    const waiting = async () => (await one.get('reader')).status?.containerStatuses?.[0]?.state?.waiting;
    await eventually('it to wait', async () => (await waiting())?.reason === 'CreateContainerConfigError');
    await one.client.create(configMaps, configMap('one'));
    await one.ready('reader');
    assert.equal(await inPod('reader', 'cat /conf/a.txt /single.txt; ls /conf'), 'oneonea.txt\nb.txt\n');
  });

  it('a change of ConfigMap, Secret and labels is in its files a moment later; a subPath stays', async () => {
    await one.client.update(configMaps, configMap('two'));
    await one.client.create(secrets, {
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys', namespace } },
      data: { key: Buffer.from('secret').toString('base64') },
    });
    const body = { metadata: { labels: { tier: 'x' } } };
    await one.client.patch(podKind, { namespace, name: 'reader' }, { type: 'merge', body });
    const expected = 'twotwo one secret tier="x"';
    const script = 'echo $(cat /conf/a.txt /conf/b.txt) $(cat /single.txt) $(cat /all/key) $(cat /all/labels)';
    await eventually('the new files', async () => (await inPod('reader', script)).trim() === expected, 5_000);
    assert.equal((await one.get('reader')).status?.containerStatuses?.[0]?.restartCount, 0);
  });

  it('the token of its service account is there, says who the pod is, and stays over a restart of the agent', async () => {
    const directory = '/var/run/secrets/kubernetes.io/serviceaccount';
    const [token = '', name, authority = ''] = (
      await inPod('reader', `cat ${directory}/token; echo; cat ${directory}/namespace; echo; cat ${directory}/ca.crt`)
    ).split('\n');
    assert.equal(name, namespace);
    assert.match(authority, /BEGIN CERTIFICATE/);
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    assert.equal(claims.sub, 'system:serviceaccount:default:default');
    assert.equal(claims['kubernetes.io'].pod.name, 'reader');
    await new Promise((resolve) => setTimeout(resolve, 1_000)); // the copy on disk is half a second behind
    await one.restartAgent();
    await one.ready('reader');
    const after = await eventually('the command to run', () => inPod('reader', `cat ${directory}/token`));
    assert.equal(after.trim(), token);
    await one.clean();
    await assertOneToOne(one.lab, ['h1']);
  });
});
