import { spawnSync } from 'node:child_process';
import type { PodExec } from '../../client/pod-exec.ts';

export interface TerminalFlags {
  readonly interactive?: boolean;
  readonly tty?: boolean;
}

/** Node's raw mode still makes two characters of a line feed, which moves the cursor of programs that draw. */
function setRaw(): void {
  process.stdin.setRawMode(true);
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] }); // undone together with the raw mode
}

/** Joins this process' streams, and the size of its terminal, with a command's; gives its exit code. */
export async function joinTerminal(session: PodExec, flags: TerminalFlags): Promise<number> {
  const isTerminal = flags.tty === true && process.stdin.isTTY === true;
  session.stdout.pipe(process.stdout);
  session.stderr.pipe(process.stderr);
  const resize = () => session.resize(process.stdout.columns ?? 80, process.stdout.rows ?? 24);
  if (flags.tty && process.stdout.isTTY) {
    resize();
    process.stdout.on('resize', resize);
  }
  if (flags.interactive) {
    if (isTerminal) setRaw();
    process.stdin.pipe(session.stdin);
  }
  try {
    return await session.exitCode;
  } finally {
    if (isTerminal) process.stdin.setRawMode(false);
    process.stdin.unpipe();
    process.stdin.destroy();
  }
}
