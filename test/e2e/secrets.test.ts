import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { kubectlOf } from './cluster.ts';
import { startLab, type TestLab } from './lab.ts';

const run = promisify(execFile);
const values = {
  apply: 'Zq8-apply-7hG2kQx',
  set: 'Zq8-set-9fT4mWz',
  envFile: 'Zq8-envfile-3bN6pLy',
  file: 'Zq8-file-5cV8rKj',
  literal: 'Zq8-literal-1dX7sHg',
};

/** The value as it could stand in a file: as it is, hex, and the three ways it can lie inside base64. */
function forms(value: string): string[] {
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), Buffer.from(value)])
      .toString('base64')
      .replace(/=+$/, '');
    return text.slice(shift === 0 ? 0 : shift + 1, -1);
  });
  return [value, Buffer.from(value).toString('hex'), ...base64];
}

async function found(text: string, paths: readonly string[]): Promise<string> {
  const { stdout } = await run('grep', ['-rlaF', '--', text, ...paths]).catch(
    (error: { code: number; stdout: string }) => {
      if (error.code === 1) return { stdout: '' };
      throw error;
    },
  );
  return stdout.trim();
}

describe('secrets at rest', { timeout: 180_000 }, () => {
  let lab: TestLab;
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flotilla-secrets-'));
    lab = await startLab({ name: 'e2esecret', octet: 214, hosts: 1 });
  });
  after(async () => {
    await lab?.down();
    await rm(directory, { recursive: true, force: true });
  });

  it('given by apply, --set, env file and secret file they reach the container, and no file of the server or agent', async () => {
    await writeFile(join(directory, 'app.env'), `FROM_FILE=${values.envFile}\n`);
    await writeFile(join(directory, 'secret.txt'), values.file);
    await writeFile(
      join(directory, 'stack.yml'),
      `name: vaulted
variables:
  password: {type: string}
services:
  app:
    image: busybox
    command: [sleep, "3600"]
    environment: {PASSWORD: "\${password}", LITERAL: ${values.literal}}
    env_file: app.env
    secrets: [key]
secrets:
  key: {file: secret.txt}
`,
    );
    await lab.flotilla(['deploy', '-f', join(directory, 'stack.yml'), '--set', `password=${values.set}`]);
    const env = await lab.flotilla([
      'exec',
      'vaulted/app',
      '--',
      'sh',
      '-c',
      'echo "$PASSWORD $FROM_FILE $(cat /run/secrets/key)"',
    ]);
    assert.equal(env.trim(), `${values.set} ${values.envFile} ${values.file}`);

    const kubectl = await kubectlOf(lab, '35');
    try {
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, stringData: { p: values.apply } };
      await kubectl.ok(['apply', '-f', '-'], JSON.stringify(secret));
      await kubectl.ok(['apply', '-f', '-'], JSON.stringify({ ...secret, stringData: { p: values.apply, q: 'more' } }));
      assert.equal(
        await kubectl.ok(['get', 'secret', 's', '-o', 'jsonpath={.data.p}']),
        Buffer.from(values.apply).toString('base64'),
      );
    } finally {
      await kubectl.remove();
    }
    const events = await lab.flotilla(['events', '-o', 'json']);
    const root = `${process.env.FLOTILLA_LAB_DIR ?? '/var/lib/flotilla-lab'}/${lab.name}`;
    // The engine's own files hold every container's environment, as those of any engine do; they are not ours.
    const paths = [`${root}/s1`, `${root}/h1/agent`, `${root}/h1/agent.log`];
    for (const [name, value] of Object.entries(values)) {
      for (const form of forms(value)) {
        assert.equal(await found(form, paths), '', `${name} as ${form}`);
        assert.ok(!events.includes(form), `${name} in an event`);
      }
    }
    // The control: what is not encrypted is found by the same search.
    assert.notEqual(await found('vaulted', paths), '');
  });
});
