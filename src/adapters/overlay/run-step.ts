import { FlotillaError, hasCode } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import { wireguardDevice } from './devices.ts';
import { acceptForwarding } from './firewall.ts';
import { boundLog, type StartOutliving } from './outliving-program.ts';
import type { OverlayStep } from './plan.ts';

export interface StepTools {
  readonly exec: Exec;
  readonly startOutliving: StartOutliving;
  /** Holds `wireguard.key` and `wireguard.log`. */
  readonly directory: string;
  readonly sleep: (ms: number) => Promise<void>;
}

const startDeadlineMs = 5_000;
const pollMs = 20;
const maxLogBytes = 1_048_576;

export const keyFile = (directory: string): string => `${directory}/wireguard.key`;
const logFile = (directory: string): string => `${directory}/wireguard.log`;

/** Does one step; each may be done twice. */
export async function runStep(step: OverlayStep, tools: StepTools): Promise<void> {
  const { exec, directory } = tools;
  switch (step.type) {
    case 'forward':
      return write(exec, '/proc/sys/net/ipv4/ip_forward', '1');
    case 'accept':
      return acceptForwarding(exec, step.range);
    case 'filter':
      await exec(['nft', '-f', '-'], { stdin: step.nft });
      return;
    case 'ip':
    case 'bridge':
      return runBatch(exec, step.type, step.lines);
    case 'start-wireguard':
      if (step.removeFirst) {
        await removeDevice(exec, wireguardDevice);
        await endProgramAt(exec, step.port);
      }
      return startWireguard(tools);
    case 'wireguard-key': {
      const words = ['private-key', keyFile(directory), 'listen-port', String(step.port)];
      await exec(['wg', 'set', wireguardDevice, ...words]);
      return;
    }
    case 'wg':
      await exec(step.argv);
      return;
    case 'loose-reverse-path':
      return write(exec, `/proc/sys/net/ipv4/conf/${step.device}/rp_filter`, '2');
    case 'remove-device':
      return removeDevice(exec, step.device);
    case 'fail':
      throw step.error;
  }
}

/** sysctl(8) is not on every host. */
async function write(exec: Exec, file: string, value: string): Promise<void> {
  await exec(['tee', file], { stdin: `${value}\n` });
}

/** -force: a peer that cannot be reached fails the call, and does not keep the others from being reached. */
async function runBatch(exec: Exec, tool: 'ip' | 'bridge', lines: readonly string[]): Promise<void> {
  try {
    await exec([tool, '-force', '-batch', '-'], { stdin: lines.map((line) => `${line}\n`).join('') });
  } catch (error) {
    if (!hasCode(error, 'HostToolFailed')) throw error;
    const number = /Command failed -:(\d+)/.exec(error.message)?.[1];
    const line = number === undefined ? undefined : lines[Number(number) - 1];
    if (line === undefined) throw error;
    const words = /: ([^:]*: [^:]*)\nCommand failed/.exec(error.message)?.[1] ?? error.message;
    throw new FlotillaError('HostToolFailed', `"${tool} ${line}" failed: ${words}`, { cause: error });
  }
}

/** The program of a device in user space ends with it. */
async function removeDevice(exec: Exec, device: string): Promise<void> {
  await exec(['ip', 'link', 'del', 'dev', device], { okCodes: [0, 1] });
}

async function requireTool(exec: Exec): Promise<void> {
  try {
    await exec(['wg', '--version']);
  } catch (cause) {
    throw new FlotillaError('HostToolFailed', 'WireGuard cannot be set up: wg(8) does not run on this host', {
      cause,
      hint: 'apt-get install wireguard-tools, or choose another overlay: flotilla grid set --overlay vxlan',
    });
  }
}

/** One that stands still does not notice that its device went, and keeps the port. ss(8): `users:(("wireguard-go",pid=6,fd=8))`. */
async function endProgramAt(exec: Exec, port: number): Promise<void> {
  const { stdout } = await exec(['ss', '-H', '-u', '-l', '-n', '-p', `sport = :${port}`]);
  const pids = new Set([...stdout.matchAll(/\("wireguard-go",pid=(\d+),/g)].map(([, pid = '']) => pid));
  for (const pid of pids) await exec(['kill', '-9', pid], { okCodes: [0, 1] });
}

/** By the kernel where it can; else by `wireguard-go`, which lives on beside the agent (docs/adr/0025). */
async function startWireguard(tools: StepTools): Promise<void> {
  const { exec, directory } = tools;
  await requireTool(exec);
  try {
    await exec(['ip', 'link', 'add', 'dev', wireguardDevice, 'type', 'wireguard']);
    return;
  } catch (error) {
    if (!hasCode(error, 'HostToolFailed') || !/unknown device type|not supported/i.test(error.message)) throw error;
  }
  await boundLog(logFile(directory), maxLogBytes);
  try {
    await tools.startOutliving({
      argv: ['wireguard-go', '-f', wireguardDevice], // without -f it starts itself again, for ever
      unit: 'flotilla-wireguard',
      logFile: logFile(directory),
    });
  } catch (cause) {
    throw new FlotillaError('HostToolFailed', `this host's kernel has no WireGuard, and wireguard-go does not start`, {
      cause,
      hint: 'apt-get install wireguard-go wireguard-tools, or choose another overlay: flotilla grid set --overlay vxlan',
    });
  }
  for (let waitedMs = 0; waitedMs < startDeadlineMs; waitedMs += pollMs) {
    if ((await exec(['wg', 'show', wireguardDevice, 'listen-port'], { okCodes: [0, 1] })).code === 0) return;
    await tools.sleep(pollMs);
  }
  throw new FlotillaError(
    'HostToolFailed',
    `wireguard-go made no interface ${wireguardDevice} in ${startDeadlineMs} ms`,
    {
      retryable: true,
      hint: `Look into ${logFile(directory)}, or journalctl -u flotilla-wireguard`,
    },
  );
}

/** A long-running program that repeats itself does not fill the disk. */
export function boundWireguardLog(directory: string): Promise<void> {
  return boundLog(logFile(directory), maxLogBytes);
}
