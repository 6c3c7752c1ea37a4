import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isHostStopping } from './signals.ts';

test('systemd is asked whether it is the host that stops', async () => {
  const says = (stdout: string) => async (argv: readonly string[]) => {
    assert.deepEqual(argv, ['systemctl', 'show', '--property=Job,ActiveState', 'shutdown.target']);
    return { stdout, stderr: '', code: 0 };
  };
  assert.equal(await isHostStopping(says('ActiveState=inactive\nJob=211\n'), true), true);
  assert.equal(await isHostStopping(says('ActiveState=active\n'), true), true);
  assert.equal(await isHostStopping(says('ActiveState=inactive\n'), true), false);
  assert.equal(await isHostStopping(says('ActiveState=inactive\nJob=0\n'), true), false);
});

test('who is ended by the same signal is asked again', async () => {
  let asked = 0;
  const killedOnce = async () => {
    if (asked++ === 0) throw new Error('killed by SIGTERM');
    return { stdout: 'ActiveState=inactive\nJob=211\n', stderr: '', code: 0 };
  };
  assert.equal(await isHostStopping(killedOnce, true), true);
});

test('where there is no systemd, or no answer, containers go on', async () => {
  const fails = async () => {
    throw new Error('Failed to connect to bus');
  };
  assert.equal(await isHostStopping(fails, true), false);
  assert.equal(await isHostStopping(fails, false), false);
});
