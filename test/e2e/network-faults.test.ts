// What others do to a host's network is undone; a cable that was out, and a host with another address, are found again.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isReady, kubectlOf, podsOf, serviceOf } from './cluster.ts';
import { machineOf, shellOn } from './host-state.ts';
import { eventually, startLab, type TestLab } from './lab.ts';
import { holdUnit, type OwnAgent, startOwnAgent } from './own-agent.ts';

const file = `name: web
services:
  web:
    image: busybox
    instances: 3
    stop_grace_period: 1s
    command: [sh, -c, 'hostname > /tmp/index.html; exec httpd -f -p 8080 -h /tmp']
    healthcheck: {test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/"], interval: 2s, timeout: 1s, retries: 3}
  client:
    image: busybox
    instances: 3
    command: [sh, -c, 'trap "exit 0" TERM; sleep 36000 & wait']
`;
/** Cables are out for so long, seconds; more by hand: FLOTILLA_TEST_CUTS=5,30,120. */
const cuts = (process.env.FLOTILLA_TEST_CUTS ?? '5').split(',').map(Number);

interface AgentStateFile {
  readonly addresses: { readonly resting?: readonly string[] };
}

describe('a network that others change', { timeout: 600_000 }, () => {
  let lab: TestLab;
  let directory: string;
  let moved: OwnAgent | undefined;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-netfaults-'));
    await writeFile(join(directory, 'stack.yml'), file);
    lab = await startLab({ name: 'e2enetf', octet: 115, flags: ['--overlay', 'vxlan'] });
    await lab.flotilla(['deploy', '-f', join(directory, 'stack.yml')], { timeoutMs: 90_000 });
  });
  after(async () => {
    await moved?.kill();
    await lab?.down();
    await rm(directory, { recursive: true, force: true });
  });

  const stateOf = async (host: string) => `${(await machineOf(lab, host)).directory}/agent/state.json`;
  const ready = async (name: string) =>
    (await podsOf(lab, 'web')).filter((pod) => serviceOf(pod) === name && isReady(pod));
  /** From the container on a host, by Docker: no server and no agent is asked. */
  const callAll = async (host: string): Promise<void> => {
    const machine = await machineOf(lab, host);
    const id = (await shellOn(machine, 'docker ps -q --filter name=fl_web_client- | head -n 1')).trim();
    const addresses = (await ready('web')).map(({ status }) => status?.podIP);
    assert.equal(addresses.length, 3);
    for (const target of [...addresses, 'web', 'web']) {
      assert.match(await shellOn(machine, `docker exec ${id} timeout 2 wget -q -O - http://${target}:8080/`), /^web-/);
    }
  };
  const works = (what: string, timeoutMs: number, hosts = ['h1', 'h2', 'h3']) =>
    eventually(
      what,
      async () => {
        await Promise.all(hosts.map(callAll));
        return true;
      },
      timeoutMs,
    );

  const vandals: Readonly<Record<string, string>> = {
    'the rules are flushed': 'nft flush ruleset; iptables -P FORWARD DROP',
    'the overlay device is deleted': 'ip link delete flvx',
    'a route is removed': 'ip route delete $(ip route show dev flvx | head -n 1 | cut -d " " -f 1)',
    'the bridge is deleted': 'ip link delete fl0',
    'the DNS process is killed': 'pkill -9 -f "[f]lotilla-dns"',
  };
  for (const [what, script] of Object.entries(vandals)) {
    it(`${what}: mended within ten seconds`, async () => {
      await works('all to be well before', 30_000);
      await shellOn(await machineOf(lab, 'h1'), script);
      await works(`all to be well after: ${what}`, 10_000);
    });
  }

  it('an nft that fails for ever on one host: its node says so, and stops do not wait for it', async (test) => {
    await works('all to be well before', 30_000);
    const kubectl = await kubectlOf(lab, '35');
    const machine = await machineOf(lab, 'h1');
    await shellOn(machine, 'mount --bind /bin/false $(command -v nft)');
    const behind = () =>
      kubectl.ok([
        'get',
        'node',
        'h1',
        '-o',
        'jsonpath={.status.conditions[?(@.type=="flotilla.dev/NetworkBehind")].status}',
      ]);
    const watch = kubectl.start(['-n', 'web', 'get', 'pods', '--watch', '-o', 'json']);
    let seen = '';
    watch.stdout?.on('data', (text: Buffer) => {
      seen += text.toString();
    });
    try {
      await lab.flotilla(['scale', 'web/web=2']);
      await eventually('the node to be marked', async () => (await behind()) === 'True');
      await lab.flotilla(['scale', 'web/web=1']);
      const said = await eventually('a stop that did not wait for it', async () =>
        /waited \d+ ms for 2 nodes, not for 1 that cannot follow/.exec(seen)?.at(0),
      );
      test.diagnostic(said);
    } finally {
      watch.kill();
      await shellOn(machine, 'umount $(command -v nft)');
    }
    await lab.flotilla(['scale', 'web/web=3']);
    await eventually('the node to follow again', async () => (await behind()) === 'False', 30_000);
    await works('all to be well after', 30_000);
  });

  it('an address that was freed is given to nobody while some host has not followed', async () => {
    await works('all to be well before', 30_000);
    const kubectl = await kubectlOf(lab, '35');
    const slow = await machineOf(lab, 'h1');
    const hold = 'while [ -e /run/hold ]; do sleep 0.05; done; exec /run/nft.real "$@"';
    await shellOn(
      slow,
      `nft=$(command -v nft); cp -p $(readlink -f $nft) /run/nft.real; touch /run/hold
       printf '#!/bin/sh\n%s\n' '${hold}' >/run/nft.slow; chmod 755 /run/nft.slow; mount --bind /run/nft.slow $nft`,
    );
    try {
      const victim = (await ready('web')).find(({ spec }) => spec.nodeName !== 'h1');
      const host = victim?.spec.nodeName ?? '';
      const address = victim?.status?.podIP ?? '';
      const resting = async () =>
        (JSON.parse(await shellOn(await machineOf(lab, host), `cat ${await stateOf(host)}`)) as AgentStateFile)
          .addresses.resting ?? [];
      await kubectl.ok(['-n', 'web', 'delete', 'pod', victim?.metadata.name ?? '', '--timeout=20s']);
      assert.ok((await resting()).includes(address), `${address} rests`);
      await shellOn(slow, 'rm /run/hold');
      await eventually('it to be given again', async () => !(await resting()).includes(address), 60_000);
    } finally {
      await shellOn(slow, 'rm -f /run/hold; umount $(command -v nft)');
    }
  });

  for (const seconds of cuts) {
    it(`a cable that was out for ${seconds} s: names and addresses are right three seconds later`, async () => {
      await lab.change('cut', 'h2');
      await delay(seconds * 1_000);
      await lab.change('plug', 'h2');
      await works('all to be well', seconds > 8 ? 23_000 : 6_000);
    });
  }

  it('a host that comes back with another address is found by the others', async () => {
    const machine = await machineOf(lab, 'h3');
    const fresh = `${lab.prefix}.33`;
    await holdUnit(machine, 'agent');
    await shellOn(
      machine,
      `set -- $(ip route show default); ip address delete ${machine.address}/24 dev eth0; ip address add ${fresh}/24 dev eth0
       [ -z "$*" ] || ip route replace "$@"`,
    );
    moved = await startOwnAgent({ ...machine, address: fresh });
    await eventually(
      'h3 to say its new address',
      async () => (await lab.flotilla(['node', 'show', 'h3'])).includes(`address    ${lab.prefix}.33`),
      40_000,
    );
    await works('all to be well', 40_000);
  });

  it('no server: what runs is reached, and what is started again meanwhile', async () => {
    await works('all to be well before', 40_000);
    const [victim] = await ready('web');
    await lab.change('off', 's1');
    const machine = await machineOf(lab, victim?.spec.nodeName ?? '');
    await shellOn(machine, `docker kill $(docker ps -q --filter name=${victim?.metadata.name})`);
    const address = victim?.status?.podIP ?? '';
    const client = await machineOf(lab, 'h1');
    const own = (await shellOn(client, 'docker ps -q --filter name=fl_web_client- | head -n 1')).trim();
    const call = (target: string) =>
      shellOn(client, `docker exec ${own} timeout 2 wget -q -O - http://${target}:8080/`);
    await eventually('the one that was killed to answer again', async () => /^web-/.test(await call(address)), 30_000);
    const seen = new Set<string>();
    await eventually('all three behind the name', async () => seen.add(await call('web')).size === 3, 30_000);
    await lab.change('on', 's1');
  });
});
