import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { bin, eventually, httpGet, run, startLab, type TestLab } from './lab.ts';
import { tracesOf } from './traces.ts';

const server = 'mkdir -p /www && echo hello > /www/index.html && exec httpd -f -p 8080 -h /www';

describe('the lab', { timeout: 180_000 }, () => {
  let lab: TestLab;
  before(async () => {
    lab = await startLab({ name: 'e2elab', octet: 201, hosts: 2, withFlotilla: false });
  });
  after(() => lab?.down());

  const machines = async () =>
    JSON.parse(await lab.flotilla(['lab', 'ls', '--name', lab.name, '-o', 'json'])) as {
      readonly name: string;
      readonly power: string;
      readonly cable: string;
      readonly pid?: number;
    }[];
  const startWeb = (host: string) =>
    lab.exec(host, [
      'docker',
      'run',
      '-d',
      '--name=web',
      '--restart=always',
      '-p8080:8080',
      'busybox',
      'sh',
      '-c',
      server,
    ]);
  const answersHello = (octet: number) => async () =>
    (await httpGet(`http://${lab.prefix}.${octet}:8080/`)).body.startsWith('hello');

  it('lists its machines', async () => {
    const listed = await machines();
    assert.deepEqual(
      listed.map(({ name, power, cable }) => [name, power, cable]),
      [
        ['h1', 'on', 'plugged'],
        ['h2', 'on', 'plugged'],
      ],
    );
    assert.match(await lab.flotilla(['lab', 'ls']), /^e2elab +h1 +host +10\.99\.201\.1 +on +plugged$/m);
  });

  it('runs commands with their streams and exit code', async () => {
    assert.equal((await lab.exec('h2', ['hostname'])).trim(), 'h2');
    assert.equal(await lab.exec('h1', ['cat'], { stdin: 'through\n' }), 'through\n');
    assert.equal(
      (await lab.tryFlotilla(['lab', 'exec', '--name', lab.name, 'h1', '--', 'sh', '-c', 'exit 7'])).code,
      7,
    );
    const ended = await lab.tryFlotilla(['lab', 'exec', '--name', lab.name, 'h9', '--', 'true']);
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /error: lab "e2elab" has no machine "h9"\nhint: it has h1, h2/);
  });

  it('is like a real Docker host: FORWARD drops, own network devices, own identity', async () => {
    assert.match(await lab.exec('h1', ['iptables', '-S', 'FORWARD']), /^-P FORWARD DROP/);
    assert.match(await lab.exec('h1', ['ls', '/sys/class/net']), /docker0\neth0\nlo/);
    const ids = await Promise.all(['h1', 'h2'].map((host) => lab.exec(host, ['cat', '/etc/machine-id'])));
    assert.notEqual(ids[0], ids[1]);
    assert.match(await lab.exec('h1', ['docker', 'info']), /Live Restore Enabled: true/);
  });

  it('says at once that a name or image is nowhere', async () => {
    const pulled = await lab.tryFlotilla([
      'lab',
      'exec',
      '--name',
      lab.name,
      'h1',
      '--',
      'docker',
      'pull',
      'nowhere:1',
    ]);
    assert.equal(pulled.code, 1);
    assert.match(pulled.stderr, /connection refused/); // and not a time-out
    assert.notEqual(
      (await lab.tryFlotilla(['lab', 'exec', '--name', lab.name, 'h1', '--', 'getent', 'hosts', 'example.org'])).code,
      0,
    );
  });

  it('is reached from this machine, its containers run under usual image names', async () => {
    await Promise.all(['h1', 'h2'].map(startWeb));
    await eventually('web on h1', answersHello(1));
    await eventually('web on h2', answersHello(2));
    const between = ['docker', 'run', '--rm', 'busybox', 'wget', '-qO-', `http://${lab.prefix}.1:8080/`];
    assert.equal((await lab.exec('h2', between)).trim(), 'hello');
  });

  it('cuts a cable and plugs it in again, while containers run on', async () => {
    const started = await lab.exec('h1', ['docker', 'inspect', '-f', '{{.State.StartedAt}}', 'web']);
    await lab.change('cut', 'h1');
    await assert.rejects(httpGet(`http://${lab.prefix}.1:8080/`));
    assert.equal((await machines()).find(({ name }) => name === 'h1')?.cable, 'cut');
    assert.equal(await lab.exec('h1', ['docker', 'inspect', '-f', '{{.State.StartedAt}}', 'web']), started);
    await lab.change('plug', 'h1');
    await eventually('web on h1', answersHello(1));
  });

  it('cuts the power: every process dies at once; on again, the disk is as it was', async () => {
    const bootId = await lab.exec('h2', ['cat', '/proc/sys/kernel/random/boot_id']);
    const machineId = await lab.exec('h2', ['cat', '/etc/machine-id']);
    await lab.exec('h2', ['docker', 'volume', 'create', 'kept']);
    await lab.exec('h2', [
      'docker',
      'run',
      '--rm',
      '-v',
      'kept:/kept',
      'busybox',
      'sh',
      '-c',
      'echo mine > /kept/file; sync',
    ]);
    await lab.exec('h2', ['ip', 'link', 'add', 'made', 'type', 'bridge']);
    await lab.change('off', 'h2');
    const processes = await tracesOf(lab.name);
    assert.deepEqual(
      processes.filter((line) => line.startsWith('process') && line.includes('/h2/')),
      [],
    );
    assert.equal((await machines()).find(({ name }) => name === 'h2')?.power, 'off');
    const ended = await lab.tryFlotilla(['lab', 'exec', '--name', lab.name, 'h2', '--', 'true']);
    assert.match(ended.stderr, /h2 of lab "e2elab" is off\nhint: flotilla lab on h2 --name e2elab/);
    await assert.rejects(httpGet(`http://${lab.prefix}.2:8080/`));

    await lab.change('on', 'h2');
    await eventually('web on h2 after the boot', answersHello(2));
    assert.notEqual(await lab.exec('h2', ['cat', '/proc/sys/kernel/random/boot_id']), bootId);
    assert.equal(await lab.exec('h2', ['cat', '/etc/machine-id']), machineId);
    assert.doesNotMatch(await lab.exec('h2', ['ls', '/sys/class/net']), /made/);
    const kept = ['docker', 'run', '--rm', '-v', 'kept:/kept', 'busybox', 'cat', '/kept/file'];
    assert.equal((await lab.exec('h2', kept)).trim(), 'mine');
    assert.match((await lab.tryFlotilla(['lab', 'on', '--name', lab.name, 'h2'])).stderr, /is on already/);
  });

  it('keeps a cable out over a power cycle', async () => {
    await lab.change('cut', 'h2');
    await lab.change('off', 'h2');
    await lab.change('on', 'h2');
    assert.equal((await machines()).find(({ name }) => name === 'h2')?.cable, 'cut');
    await lab.change('plug', 'h2');
    await eventually('web on h2', answersHello(2));
  });

  it('starts Docker again when it dies, and its containers live on', async () => {
    const started = await lab.exec('h1', ['docker', 'inspect', '-f', '{{.State.StartedAt}}', 'web']);
    await lab.exec('h1', ['sh', '-c', 'kill -9 $(cat /run/docker.pid)']);
    const again = await eventually('Docker on h1', async () => {
      const ended = await lab.tryFlotilla([
        ...['lab', 'exec', '--name', lab.name, 'h1', '--'],
        ...['docker', 'inspect', '-f', '{{.State.StartedAt}}', 'web'],
      ]);
      return ended.code === 0 && ended.stdout;
    });
    assert.equal(again, started);
  });

  it('refuses a name and a network that are in use', async () => {
    const sameName = await lab.tryFlotilla(['lab', 'up', '--name', lab.name, '--network', '10.99.202.0/24']);
    assert.equal(sameName.code, 1);
    assert.match(sameName.stderr, /there is a lab "e2elab" already\nhint:/);
    const sameNetwork = await lab.tryFlotilla(['lab', 'up', '--name', 'e2eother', '--network', `${lab.prefix}.0/24`]);
    assert.equal(sameNetwork.code, 1);
    assert.match(sameNetwork.stderr, /--network 10\.99\.201\.0\/24 overlaps this machine's route 10\.99\.201\.0\/24/);
    assert.equal((await lab.tryFlotilla(['lab', 'up', '--network', 'x'])).code, 2);
    assert.deepEqual(await tracesOf('e2eother'), []);
  });

  it('leaves nothing behind', async () => {
    await lab.flotilla(['lab', 'down', '--name', lab.name]);
    assert.deepEqual(await tracesOf(lab.name), []);
    await lab.flotilla(['lab', 'down', '--name', lab.name]);
  });
});

describe('a lab with server and agents', { timeout: 180_000 }, () => {
  let lab: TestLab;
  let upMs: number;
  before(async () => {
    const startMs = performance.now();
    lab = await startLab({ name: 'e2efull', octet: 204 });
    upMs = performance.now() - startMs;
  });
  after(() => lab?.down());

  const stateOf = async (node: string) => {
    const nodes = JSON.parse(await lab.flotilla(['node', 'ls', '-o', 'json'])) as {
      readonly metadata: { readonly name: string };
      readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
    }[];
    const found = nodes.find(({ metadata }) => metadata.name === node);
    return found?.status.conditions.find(({ type }) => type === 'Ready')?.status;
  };

  it('is up with three Ready nodes in 10 s, and the current context', async () => {
    for (const node of ['h1', 'h2', 'h3']) assert.equal(await stateOf(node), 'True', node);
    assert.match(await lab.flotilla(['context', 'ls']), /e2efull/);
    assert.ok(upMs < 10_000, `${Math.round(upMs)} ms`);
  });

  it('notices a cut cable and a power cut, and that they are over', async () => {
    await lab.change('cut', 'h1');
    await lab.change('off', 'h2');
    await eventually('h1 and h2 are not Ready', async () => {
      return (await stateOf('h1')) === 'Unknown' && (await stateOf('h2')) === 'Unknown';
    });
    assert.equal(await stateOf('h3'), 'True');
    await lab.change('plug', 'h1');
    await lab.change('on', 'h2');
    await eventually('h1 and h2 are Ready', async () => {
      return (await stateOf('h1')) === 'True' && (await stateOf('h2')) === 'True';
    });
  });

  it('starts agent and server again when they die', async () => {
    for (const [machine, unit] of [
      ['h3', 'agent'],
      ['s1', 'server'],
    ] as const) {
      const file = `/run/lab/${unit}.pid`;
      const former = await lab.exec(machine, ['sh', '-c', `cat ${file}; kill -9 $(cat ${file})`]);
      await eventually(`another ${unit}`, async () => {
        const ended = await lab.tryFlotilla(['lab', 'exec', '--name', lab.name, machine, '--', 'cat', file]);
        return ended.code === 0 && ended.stdout !== '' && ended.stdout !== former;
      });
    }
    await eventually('h3 is Ready', async () => (await stateOf('h3')) === 'True');
  });

  it('gives the former context back and leaves nothing behind', async () => {
    await lab.flotilla(['lab', 'down', '--name', lab.name]);
    assert.deepEqual(await tracesOf(lab.name), []);
    assert.doesNotMatch(await lab.flotilla(['context', 'ls']), /e2efull/);
  });
});

describe('a lab whose start was killed', { timeout: 180_000 }, () => {
  const name = 'e2ecrash';
  const config = `${tmpdir()}/flotilla-${name}.json`;
  after(async () => {
    await run([bin, 'lab', 'down', '--name', name], { env: { FLOTILLA_CONFIG: config } });
    await rm(config, { force: true });
  });

  for (const afterMs of [150, 200, 250, 300, 350, 400, 500, 700, 1000, 2000, 3000]) {
    it(`goes without a trace, killed after ${afterMs} ms`, async () => {
      const up = spawn(bin, ['lab', 'up', '--name', name, '--network', '10.99.203.0/24', '--hosts', '2'], {
        stdio: 'ignore',
        env: { ...process.env, FLOTILLA_CONFIG: config },
      });
      const closed = once(up, 'close');
      await delay(afterMs); // the moment of the crash, not a wait for anything
      up.kill('SIGKILL');
      await closed;
      const down = await run([bin, 'lab', 'down', '--name', name], { env: { FLOTILLA_CONFIG: config } });
      assert.equal(down.code, 0, down.stderr);
      assert.deepEqual(await tracesOf(name), []);
    });
  }
});
