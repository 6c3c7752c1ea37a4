// Runs as a service of a machine that systemd has booted, see systemd.test.ts: writes down why it is ended, and whether the DNS
// process of the host still runs then.
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { endOfAgent } from '../../src/agent/main.ts';

const file = '/root/ends';
const alive = setInterval(() => {}, 1_000);
const ended = endOfAgent();
appendFileSync(file, 'waits ');
const reason = await ended;
// So long a host that is shut down takes at least: whatever systemd ends by itself has ended by then.
if (reason === 'host') await delay(2_000);
const isRunning = readdirSync('/proc').some((pid) => {
  try {
    return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'flotilla-dns';
  } catch {
    return false;
  }
});
appendFileSync(file, reason === 'host' ? `host ${isRunning ? 'names' : 'no names'}\n` : 'agent ');
clearInterval(alive);
