import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Exec } from '../../lib/exec.ts';
import { boundLog, createStartOutliving } from './outliving-program.ts';

describe('a program that outlives the agent', () => {
  it('is a unit of its own where systemd runs the host: stopping the agent ends what is in its control group', async () => {
    const calls: string[] = [];
    const exec: Exec = async (argv) => {
      calls.push(argv.join(' '));
      return { stdout: '', stderr: '', code: 0 };
    };
    const start = createStartOutliving(exec, true);
    await start({ argv: ['wireguard-go', '-f', 'flwg'], unit: 'flotilla-wireguard', logFile: '/nowhere' });
    assert.deepEqual(calls, [
      'systemctl reset-failed flotilla-wireguard',
      'systemd-run --quiet --collect --service-type=exec --property=OOMScoreAdjust=-500 --property=DefaultDependencies=no --unit=flotilla-wireguard -- wireguard-go -f flwg',
    ]);
  });

  it('has a log that is emptied when it has grown beyond its bound', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flotilla-outliving-'));
    const file = join(directory, 'program.log');
    await boundLog(file, 10); // not there yet
    await writeFile(file, 'ten bytes!');
    await boundLog(file, 10);
    assert.equal(await readFile(file, 'utf8'), 'ten bytes!');
    await writeFile(file, 'eleven byte');
    await boundLog(file, 10);
    assert.equal(await readFile(file, 'utf8'), '');
    await rm(directory, { recursive: true });
  });
});
