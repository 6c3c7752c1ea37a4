import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pod } from '../../src/resources/kinds.ts';
import { labels } from '../../src/resources/names.ts';
import { isPodLost, isPodReady } from '../../src/resources/pod-facts.ts';
import { type ClusterHistory, startHistory, startTimesOn } from './cluster-history.ts';
import { bin, eventually, startLab, type TestLab } from './lab.ts';

const isReady = (pod: Pod) => isPodReady(pod) && !isPodLost(pod);
const serviceOf = (pod: Pod) => pod.metadata.labels?.[labels.service] ?? '';
const hosts = ['h1', 'h2', 'h3'];
const sleeper = `image: busybox
    command: [sh, -c, 'trap "exit 0" TERM; sleep 36000 & wait']`;
const file = `name: fail
services:
  web:
    ${sleeper}
    instances: 6
    expose: [8080]
  patient:
    ${sleeper}
    instances: 3
    failover: {after: never}
  db:
    ${sleeper}
    expose: [5432]
    volumes: [data:/data]
  task:
    ${sleeper}
    restart: "no"
volumes: {data: {}}
`;
const lateFile = `name: late
services:
  late:
    ${sleeper}
    instances: 4
`;

/** The table of docs: which silences are believed, in the lab as in `judge.test.ts`. */
describe('failure of hosts and servers', { timeout: 420_000 }, () => {
  let lab: TestLab;
  let directory: string;
  let history: ClusterHistory;
  /** A test that comes to its end says otherwise. */
  let isBroken = true;
  let isOver = false;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-failure-'));
    lab = await startLab({ name: 'e2efail', octet: 220 });
    await writeFile(join(directory, 'stack.yml'), file);
    await writeFile(join(directory, 'late.yml'), lateFile);
    await lab.flotilla(['deploy', '-f', join(directory, 'stack.yml')], { timeoutMs: 90_000 });
    history = await startHistory(lab);
  });
  afterEach(async () => {
    if (isOver) return;
    // Where a test has failed, the next one must not.
    if (isBroken) {
      await all('plug', ...hosts, 's1');
      await lab.exec('s1', ['iptables', '-F', 'INPUT']);
    }
    isBroken = true;
    for (const host of hosts) {
      if (history.nodes.get(host)?.metadata.annotations?.['flotilla.dev/lost-times']) await forget(host);
    }
    await allWell();
  });
  after(async () => {
    await history?.stop();
    await lab?.down();
    await rm(directory, { recursive: true, force: true });
  });

  const podsNow = (namespace = 'fail'): readonly Pod[] =>
    [...history.pods.values()].filter(
      ({ metadata }) => metadata.namespace === namespace && !metadata.deletionTimestamp,
    );
  const onHost = (all: readonly Pod[], host: string, service?: string) =>
    all.filter((pod) => pod.spec.nodeName === host && (service === undefined || serviceOf(pod) === service));
  const namesOf = (all: readonly Pod[]) => all.map((pod) => pod.metadata.name).sort();
  const conditionOf = (host: string, type: string) =>
    history.nodes.get(host)?.status?.conditions?.find((one) => one.type === type)?.status;
  const isLost = (host: string) =>
    history.nodes.get(host)?.spec.taints?.some((taint) => taint.key === 'node.kubernetes.io/unreachable') ?? false;
  const allStartTimes = async (of: readonly string[]) =>
    new Map((await Promise.all(of.map((host) => startTimesOn(lab, host)))).flatMap((times) => [...times]));
  const failoverAfter = (text: string) => lab.flotilla(['grid', 'set', '--failover-after', text]);
  const readyWebs = (all: readonly Pod[]) => all.filter((pod) => serviceOf(pod) === 'web' && isReady(pod));
  const until = (what: string, isSo: () => boolean, timeoutMs?: number) =>
    eventually(what, async () => isSo(), timeoutMs);
  const isUsed = (host: string) =>
    !isLost(host) &&
    conditionOf(host, 'Ready') === 'True' &&
    (conditionOf(host, 'flotilla.dev/Suspect') ?? 'False') === 'False' &&
    (conditionOf(host, 'flotilla.dev/Flapping') ?? 'False') === 'False';
  const allWell = () =>
    until(
      'all hosts used again, six instances of web and no more, none about to go',
      () => {
        const webs = podsNow().filter((pod) => serviceOf(pod) === 'web');
        const isLeaving = [...history.pods.values()].some(({ metadata }) => metadata.deletionTimestamp !== undefined);
        return hosts.every(isUsed) && webs.length === 6 && webs.every(isReady) && !isLeaving;
      },
      30_000,
    );
  const all = async (verb: 'cut' | 'plug', ...machines: string[]) => {
    for (const machine of machines) await lab.change(verb, machine);
  };
  /** So that one test's losses do not make the next one's return slow. */
  const forget = (host: string) => lab.flotilla(['node', 'undrain', host]);

  it('a 9 s cut: its endpoints leave routing, nothing new comes there, nothing is restarted', async () => {
    const before = podsNow();
    const startTimes = await allStartTimes(hosts);
    const host = before.find((pod) => serviceOf(pod) === 'db')?.spec.nodeName ?? '';
    const webs = onHost(before, host, 'web').map((pod) => pod.metadata.name);
    const fromMs = Date.now();
    await lab.change('cut', host);
    const cutMs = Date.now();
    await until('suspect', () => conditionOf(host, 'flotilla.dev/Suspect') === 'True', 6_000);
    await until('its endpoints withdrawn', () =>
      webs.every((name) => history.since(fromMs, /withdrawn/).includes(`withdrawn ${name}`)),
    );
    await lab.flotilla(['deploy', '-f', join(directory, 'late.yml'), '--no-wait']);
    await until('placed', () => podsNow('late').filter((pod) => pod.spec.nodeName).length === 4, 5_000);
    await delay(Math.max(0, cutMs + 9_000 - Date.now()));
    await lab.change('plug', host);
    await until('it answers', () => conditionOf(host, 'flotilla.dev/Suspect') === 'False');
    await allWell();
    // The only endpoint of its service was never taken out.
    assert.deepEqual(history.since(fromMs, /^withdrawn db-/), []);
    assert.deepEqual(onHost(podsNow('late'), host), []);
    const stayed = podsNow().filter((pod) => before.some((one) => one.metadata.uid === pod.metadata.uid));
    assert.deepEqual(namesOf(stayed), namesOf(before));
    const now = await allStartTimes(hosts);
    for (const [id, startedAt] of startTimes) assert.equal(now.get(id), startedAt, `container ${id} was restarted`);
    await lab.flotilla(['rm', 'late']);
    isBroken = false;
  });

  it('1 of 3: replaced after failover.after; what has a volume stays; the very containers count again', async () => {
    await failoverAfter('4s');
    const before = podsNow();
    const host = before.find((pod) => serviceOf(pod) === 'db')?.spec.nodeName ?? '';
    const startTimes = await allStartTimes([host]);
    const fromMs = Date.now();
    await lab.change('cut', host);
    await until('lost', () => isLost(host), 10_000);
    await eventually(
      'six instances elsewhere',
      async () => onHost(readyWebs(podsNow()), host).length === 0 && readyWebs(podsNow()).length === 6,
    );
    const lost = history.since(fromMs, /^lost /).map((what) => what.slice(5));
    const expected = onHost(before, host).filter((pod) => ['web', 'task'].includes(serviceOf(pod)));
    assert.deepEqual([...lost].sort(), namesOf(expected));
    assert.equal(history.since(fromMs, /^made (db|patient|task)-/).length, 0);
    const told = await lab.flotilla(['explain', `node/${host}`]);
    assert.match(
      told,
      new RegExp(`^Node ${host} is lost since .*: no sign of life from the agent of ${host} for 4s\\.$`, 'm'),
    );
    assert.match(told, /^Waiting for the node with their volume, which is there: fail\/db-/m);
    assert.match(
      await lab.flotilla(['explain', `pod/${lost[0]}`]),
      /It does not count since .* has not answered for 4s/,
    );
    await lab.change('plug', host);
    await allWell();
    const after = podsNow();
    for (const pod of before)
      assert.ok(
        after.some((one) => one.metadata.uid === pod.metadata.uid),
        `${pod.metadata.name} is gone`,
      );
    const now = await allStartTimes([host]);
    for (const [id, startedAt] of startTimes) assert.equal(now.get(id), startedAt, `container ${id} was restarted`);
    isBroken = false;
  });

  it('server stopped for 5 s: no endpoint withdrawn, no instance moved', async () => {
    const fromMs = Date.now();
    await lab.exec('s1', ['sh', '-c', 'kill -STOP $(cat /run/lab/server.pid)']);
    await delay(5_000);
    await lab.exec('s1', ['sh', '-c', 'kill -CONT $(cat /run/lab/server.pid)']);
    await until('all heard again', () => hosts.every((host) => conditionOf(host, 'Ready') === 'True'));
    await lab.flotilla(['node', 'ls']);
    await delay(5_000); // longer than failover.after
    assert.deepEqual(history.since(fromMs, /^(withdrawn|lost|made|gone) |^Suspect=True|^Ready=Unknown/), []);
    isBroken = false;
  });

  it('2 of 3 at once: the third cannot reach them either, so they are lost', async () => {
    const fromMs = Date.now();
    await all('cut', 'h1', 'h2');
    await until('both lost', () => isLost('h1') && isLost('h2'), 12_000);
    await eventually('all six on the third', async () => onHost(readyWebs(podsNow()), 'h3').length === 6);
    assert.match(
      await lab.flotilla(['explain', 'node/h1']),
      /2 of 3 nodes fell silent together; h3 cannot reach it either/,
    );
    await all('plug', 'h1', 'h2');
    await allWell();
    assert.deepEqual(history.since(fromMs, /^lost (db|patient)-/), []);
    isBroken = false;
  });

  it('the server alone cut off: nobody is left to ask, and nothing moves', async () => {
    const before = namesOf(podsNow());
    const fromMs = Date.now();
    await lab.change('cut', 's1');
    const inside = (...args: string[]) =>
      lab.tryFlotilla([
        'lab',
        'exec',
        '--name',
        lab.name,
        's1',
        '--',
        'env',
        `FLOTILLA_CONFIG=${lab.env.FLOTILLA_CONFIG}`,
        bin,
        ...args,
      ]);
    await eventually('all doubted', async () => (await inside('node', 'ls')).stdout.match(/Doubted/g)?.length === 3);
    await delay(4_000); // longer than failover.after
    assert.match(
      (await inside('explain', 'node/h1')).stdout,
      /3 of 3 nodes fell silent together, and no other node could be asked/,
    );
    await lab.change('plug', 's1');
    // What is followed from here is as it was when the cable went: what follows this reads the present.
    await eventually('none doubted', async () => {
      const { code, stdout } = await inside('node', 'ls');
      return code === 0 && !stdout.includes('Doubted');
    });
    await history.caughtUp();
    await allWell();
    assert.deepEqual(namesOf(podsNow()), before);
    assert.deepEqual(history.since(fromMs, /^(withdrawn|lost|made|gone) |^Suspect=True|^Ready=Unknown/), []);
    assert.match(
      await lab.flotilla(['events']),
      /NodeDoubted +node\/h1 .*If it is lost: flotilla node lost h1 --confirm/,
    );
    isBroken = false;
  });

  it('2 of 3 that only the server cannot reach: the third can, so they stay, until an operator says otherwise', async () => {
    const before = podsNow();
    const db = before.find((pod) => serviceOf(pod) === 'db');
    const task = before.find((pod) => serviceOf(pod) === 'task');
    const gone = db?.spec.nodeName ?? '';
    const other = hosts.find((host) => host !== gone && host !== task?.spec.nodeName) ?? '';
    const [third = ''] = hosts.filter((host) => host !== gone && host !== other);
    const wall = (verb: '-I' | '-D') =>
      lab.exec('s1', [
        'sh',
        '-c',
        [gone, other].map((host) => `iptables ${verb} INPUT -s ${lab.prefix}.${host.slice(1)} -j DROP`).join(' && '),
      ]);
    assert.match((await lab.tryFlotilla(['node', 'lost', gone, '--confirm'])).stderr, /answers/);
    const fromMs = Date.now();
    await wall('-I');
    const isDoubted = (host: string) => conditionOf(host, 'flotilla.dev/Suspect') === 'Unknown';
    await until('both doubted', () => isDoubted(gone) && isDoubted(other));
    await delay(4_000); // longer than failover.after
    assert.match(await lab.flotilla(['explain', gone]), new RegExp(`${third} can still reach it`));
    assert.deepEqual(history.since(fromMs, /^(withdrawn|lost|made|gone) /), []);

    const asked = await lab.tryFlotilla(['node', 'lost', gone]);
    assert.equal(asked.code, 2);
    assert.match(asked.stdout, /^would be given up: fail\/db-.*, whose volume is there$/m);
    await lab.flotilla(['node', 'lost', gone, '--confirm']);
    const isAnew = ({ metadata }: Pod) => metadata.name.startsWith('db-') && metadata.name !== db?.metadata.name;
    await until('a replacement of db, waiting for the volume', () => podsNow().filter(isAnew).length === 1);
    await until('web made anew on the third', () => readyWebs(podsNow()).length === 6);
    const [anew] = podsNow().filter(isAnew);
    await eventually('it says for what it waits', async () =>
      /volume fail-data, which is on/.test(await lab.flotilla(['explain', `pod/${anew?.metadata.name}`])),
    );
    assert.deepEqual(
      history.since(fromMs, /^lost /).filter((what) => !namesOf(onHost(before, gone)).includes(what.slice(5))),
      [],
    );
    await wall('-D');
    await allWell();
    assert.equal(history.nodes.get(gone)?.metadata.annotations?.['flotilla.dev/lost-confirmed'], undefined);
    isBroken = false;
  });

  it('lost one after the other: 1 of 3, then 1 of 2; one that is lost again is held back when it returns', async () => {
    for (const host of ['h1', 'h2']) {
      await lab.change('cut', host);
      await until(`${host} lost`, () => isLost(host), 12_000);
      await eventually('six elsewhere', async () => readyWebs(podsNow()).length === 6);
    }
    await all('plug', 'h1', 'h2');
    await allWell();
    const fromMs = Date.now();
    await lab.change('cut', 'h1');
    await until('h1 lost again', () => isLost('h1'), 12_000);
    await lab.change('plug', 'h1');
    await until('held back', () => conditionOf('h1', 'flotilla.dev/Flapping') === 'True');
    assert.match(await lab.flotilla(['node', 'ls']), /^h1 +Ready,flapping /m);
    assert.match(
      await lab.flotilla(['explain', 'h1']),
      /^Node h1 answers, and is not used yet since .*: it was lost 2 times within an hour/m,
    );
    await eventually('six elsewhere', async () => readyWebs(podsNow()).length === 6);
    assert.deepEqual(history.since(fromMs, /^back web-/), []);
    await forget('h1');
    await until('used again', () => conditionOf('h1', 'flotilla.dev/Flapping') === 'False', 3_000);
    await allWell();
    isBroken = false;
  });

  it('a removed node does not come back by itself: its key went with it', async () => {
    await lab.change('cut', 'h3');
    await until('h3 suspect', () => conditionOf('h3', 'flotilla.dev/Suspect') === 'True');
    await lab.flotilla(['node', 'rm', 'h3']);
    await lab.change('plug', 'h3');
    const log = () => lab.exec('h3', ['cat', `/var/lib/flotilla-lab/${lab.name}/h3/agent.log`]);
    await until('six instances without it', () => readyWebs(podsNow()).length === 6);
    await eventually('its agent is told', async () =>
      /was removed, or has joined with another key since/.test(await log()),
    );
    assert.deepEqual([...history.nodes.keys()].sort(), ['h1', 'h2']);
    isOver = true;
  });
});
