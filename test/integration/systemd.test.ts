import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { exec } from '../../src/lib/exec.ts';

const cached = '/var/cache/flotilla/systemd-root';
const checkout = join(import.meta.dirname, '../..');

/** A minimal Debian with systemd, made once. */
async function systemdRoot(): Promise<string> {
  if (existsSync(cached)) return cached;
  await mkdir('/var/cache/flotilla', { recursive: true });
  const fresh = await mkdtemp(`${cached}.`);
  const wanted = ['--variant=minbase', '--quiet', '--include=systemd,systemd-sysv,procps,iproute2'];
  const keyring = '--keyring=/usr/share/keyrings/debian-archive-keyring.gpg';
  await exec(['mmdebstrap', ...wanted, keyring, 'bookworm', fresh, 'http://deb.debian.org/debian'], {
    timeoutMs: 180_000,
  });
  await rename(fresh, cached);
  return cached;
}

/** One boot: runs `script` as a service, gives what it wrote, ends when it powers the machine off. */
async function boot(root: string, script: string): Promise<string> {
  await writeFile(join(root, 'root/probe.sh'), `${script}\nsystemctl poweroff --no-block\n`);
  await rm(join(root, 'root/out'), { force: true });
  const binds = [`--bind-ro=${checkout}`, `--bind-ro=${process.execPath}:/opt/flotilla-node`];
  const own = ['--quiet', '--register=no', '--keep-unit', '--private-network', '--console=pipe', '--boot'];
  await exec(['systemd-nspawn', ...own, ...binds, `--directory=${root}`], { timeoutMs: 90_000, okCodes: [0, 1, 133] });
  return readFile(join(root, 'root/out'), 'utf8');
}

describe('flotilla up --install, under systemd', { timeout: 400_000 }, () => {
  let root: string;
  before(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flotilla-systemd-'));
    root = join(directory, 'root');
    await exec(['cp', '-a', await systemdRoot(), root], { timeoutMs: 60_000 }); // devices among it
    const unit =
      '[Service]\nType=exec\nEnvironment=HOME=/root FLOTILLA_NODE=/opt/flotilla-node\nExecStart=/bin/sh /root/probe.sh\n[Install]\nWantedBy=multi-user.target\n';
    await writeFile(join(root, 'etc/systemd/system/probe.service'), unit);
    await exec(['systemctl', `--root=${root}`, 'enable', 'probe.service']);
  });
  after(() => rm(join(root, '..'), { recursive: true, force: true }));

  const flotilla = `${checkout}/bin/flotilla`;
  const answers = `for try in $(seq 100); do ${flotilla} server status >/tmp/status 2>&1 && break; sleep 0.2; done; head -2 /tmp/status | tail -1`;

  it('DNS outlives the service that started it, and ends with its scope', async () => {
    const program = `${checkout}/test/integration/dns-scope-inside.ts`;
    const unit = `[Service]\nType=exec\nExecStart=/opt/flotilla-node --disable-warning=ExperimentalWarning ${program}\n`;
    await writeFile(join(root, 'etc/systemd/system/fake-agent.service'), unit);
    const out = await boot(
      root,
      `exec >/root/out 2>&1
ip link set lo up
systemctl start fake-agent
for try in $(seq 100); do systemctl is-active --quiet fake-agent || break; sleep 0.1; done
echo "agent $(systemctl show -p Result --value fake-agent)"
systemctl list-units --no-legend --plain 'flotilla-dns-*' | cut -d' ' -f2-
echo "processes $(pgrep -c flotilla-dns)"
systemctl stop 'flotilla-dns-*.scope'; echo "stop $?"
echo "processes $(pgrep -c flotilla-dns)"
cat /root/dns.log`,
    );
    assert.match(out, /^agent signal/, out);
    assert.match(out, /loaded +active +running +Flotilla DNS\nprocesses 1\nstop 0\nprocesses 0\n/);
  });

  it('an agent that is stopped leaves containers running; one whose host is shut down knows, and names are answered until then', async () => {
    const inside = (name: string) =>
      `/opt/flotilla-node --disable-warning=ExperimentalWarning ${checkout}/test/integration/${name}`;
    const services = { ends: 'host-end-inside.ts', 'fake-agent': 'dns-scope-inside.ts' };
    for (const [name, program] of Object.entries(services)) {
      const unit = `[Service]\nType=exec\nExecStart=${inside(program)}\n`;
      await writeFile(join(root, `etc/systemd/system/${name}.service`), unit);
    }
    const waitFor = (word: string) =>
      `for try in $(seq 100); do grep -q '${word}' /root/ends 2>/dev/null && break; sleep 0.1; done`;
    await boot(
      root,
      `exec >/root/out 2>&1
rm -f /root/ends
ip link set lo up
systemctl start fake-agent ends
${waitFor('waits')}
systemctl restart ends
${waitFor('waits.*waits')}
for try in $(seq 100); do systemctl is-active --quiet fake-agent || break; sleep 0.1; done`,
    );
    assert.match(await readFile(join(root, 'root/ends'), 'utf8'), /^waits agent waits host names\n$/);
  });

  it('starts a service that answers', async () => {
    const out = await boot(
      root,
      `exec >/root/out 2>&1\n${flotilla} up --install; echo "rc $?"\nsystemctl is-enabled flotilla\n${answers}`,
    );
    assert.match(out, /flotilla runs as a service/);
    assert.match(out, /^rc 0\nenabled\nhttps:\/\/127\.0\.0\.1:7443 +ready/m);
  });

  it('is there after a reboot, restarts when killed, and goes with down --uninstall', async () => {
    const out = await boot(
      root,
      `exec >/root/out 2>&1
systemctl is-active flotilla
${answers}
systemctl kill --kill-whom=main --signal=KILL flotilla; sleep 2
systemctl is-active flotilla; echo "restarts $(systemctl show -p NRestarts --value flotilla)"
${answers}
${flotilla} down --uninstall; echo "rc $?"
systemctl is-active flotilla
ls /etc/systemd/system/flotilla.service
ls /var/lib/flotilla`,
    );
    const ready = 'https:\\/\\/127\\.0\\.0\\.1:7443 +ready[^\\n]*\\n';
    assert.match(out, new RegExp(`^active\\n${ready}active\\nrestarts 1\\n${ready}`));
    assert.match(
      out,
      /service removed; data and containers stay\nrc 0\ninactive\nls: cannot access[^\n]*\nagent\nserver\n/,
    );
  });
});
