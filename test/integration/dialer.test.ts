// Connections into a network namespace of its own, where a program listens on 127.0.0.1 only.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createPodDialer } from '../../src/adapters/dialer/pod-dialer.ts';
import type { PodDialer } from '../../src/adapters/dialer/port.ts';

/** Greets at once, echoes, and ends when its client has ended. */
const program = `
const server = require('net').createServer({ allowHalfOpen: true }, (socket) => {
  socket.write('hello ');
  socket.pipe(socket);
});
server.listen(7001, '127.0.0.1', () => require('net').createServer((s) => s.end('six')).listen(7002, '::1', () => console.log('up')));
`;

const { signal } = new AbortController();

if (process.getuid?.() !== 0) {
  if (process.env.CI) throw new Error('this test needs root');
  it('dialling into a network namespace', { skip: 'needs root' });
} else {
  describe('dialling into a network namespace', () => {
    let inside: ChildProcess;
    let dialer: PodDialer;
    before(async () => {
      const script = 'ip link set lo up; exec "$0" -e "$1"';
      inside = spawn('unshare', ['-n', 'sh', '-c', script, process.execPath, program], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(inside.stdout!, 'data');
      dialer = createPodDialer();
    });
    after(async () => {
      dialer?.stop();
      const ended = once(inside, 'close');
      inside.kill('SIGKILL');
      await ended;
    });

    // 127.0.0.1 of the test's own namespace stands for the pod's address: nobody listens on these ports there.
    const dial = (port: number, pid: number | undefined = inside.pid): Promise<Socket> =>
      dialer.dial(
        { containerId: `c${pid}`, address: '127.0.0.1', port, ...(pid === undefined ? {} : { pid }) },
        signal,
      );
    const helpers = () =>
      execFileSync('ps', ['--ppid', String(process.pid), '-o', 'args='], { encoding: 'utf8' })
        .split('\n')
        .filter((line) => line.includes('namespace-process')).length;

    it('reaches its 127.0.0.1: the first bytes, an echo, half close', async () => {
      const socket = await dial(7001);
      socket.end('world');
      assert.equal(await text(socket), 'hello world');
    });

    it('reaches its ::1', async () => {
      assert.equal(await text(await dial(7002)), 'six');
    });

    it('many at once go through one process', async () => {
      const sockets = await Promise.all(Array.from({ length: 40 }, () => dial(7001)));
      const said = await Promise.all(
        sockets.map((socket, index) => {
          socket.end(String(index));
          return text(socket);
        }),
      );
      assert.deepEqual(
        said,
        sockets.map((_socket, index) => `hello ${index}`),
      );
      assert.equal(helpers(), 1);
    });

    it('says what was tried where nobody listens', async () => {
      await assert.rejects(
        dial(7009),
        /failed to connect to 127.0.0.1:7009: connection refused, localhost:7009 inside the pod: connection refused$/,
      );
    });

    it('says why the namespace cannot be entered', async () => {
      const gone = spawn('true');
      await once(gone, 'close');
      await assert.rejects(
        dial(7001, gone.pid),
        /connection refused, localhost:7001 inside the pod: nsenter: .*No such file/,
      );
    });

    it('given up before it is there: the socket is not left open', async () => {
      const abort = new AbortController();
      const dialled = dialer.dial(
        { containerId: `c${inside.pid}`, address: '127.0.0.1', port: 7001, pid: inside.pid! },
        abort.signal,
      );
      abort.abort();
      await assert.rejects(dialled, /given up/);
    });

    it('leaves no process behind', async () => {
      dialer.stop();
      for (let tries = 0; helpers() > 0 && tries < 100; tries++) await delay(20);
      assert.equal(helpers(), 0);
    });
  });
}
