/**
 * The program of the pause container, as machine code: nothing is compiled where Flotilla is built or runs. On both
 * architectures it is
 *
 *     block SIGINT, SIGTERM and SIGCHLD              // a first process is not sent what it neither handles nor blocks
 *     forever: wait for one of them (rt_sigtimedwait)
 *       SIGCHLD: reap all children that ended         // with a shared process namespace orphans are its children
 *       SIGINT, SIGTERM: exit 0
 *
 * Each block is one line of that; the numbers of system calls are in the comments.
 */
export type PauseArchitecture = 'amd64' | 'arm64';

/** ELF's `e_machine`. */
const machines: Readonly<Record<PauseArchitecture, number>> = { amd64: 62, arm64: 183 };

/** 1 << (signal - 1) of SIGINT 2, SIGTERM 15, SIGCHLD 17, as the kernel's 64-bit set. */
const signals = '0240010000000000';

const code: Readonly<Record<PauseArchitecture, readonly string[]>> = {
  amd64: [
    // rt_sigprocmask 14 (SIG_BLOCK, &signals, NULL, 8)
    '31ff 488d3549000000 31d2 6a08 415a 6a0e 58 0f05',
    // rt_sigtimedwait 128 (&signals, NULL, NULL, 8)
    'b880000000 488d3d32000000 31f6 31d2 0f05',
    // 17: reap; an error (it was interrupted): wait again
    '83f811 740d 85c0 78e5',
    // exit_group 231 (0)
    'b8e7000000 31ff 0f05',
    // reap: wait4 61 (-1, NULL, WNOHANG, NULL), again while it finds one; then wait again
    '6a3d 58 6aff 5f 31f6 6a01 5a 4152 4531d2 0f05 415a 85c0 7fe8 ebc2',
    signals,
  ],
  arm64: [
    // rt_sigprocmask 135
    'b3030010 000080d2 e10313aa 020080d2 030180d2 e81080d2 010000d4',
    // rt_sigtimedwait 137
    'e00313aa 010080d2 020080d2 030180d2 281180d2 010000d4',
    '1f440071 a0000054 00ffff37',
    // exit_group 94
    '000080d2 c80b80d2 010000d4',
    // wait4 260; the last word is a no-op that aligns the set
    '00008092 010080d2 220080d2 030080d2 882080d2 010000d4 1f000071 2cffff54 ecffff17 1f2003d5',
    signals,
  ],
};

const headerBytes = 64;
const programHeaderBytes = 56;
/** A page on any kernel of these architectures: 64 KiB at most. */
const alignment = 0x10000;
const loadAddress = 0x400000;

/** A static ELF executable (elf(5)): its header, one segment that is the whole file, and the code. */
export function renderPauseProgram(architecture: PauseArchitecture): Buffer {
  const text = Buffer.from(code[architecture].join('').replaceAll(' ', ''), 'hex');
  const start = headerBytes + programHeaderBytes;
  const bytes = start + text.length;
  const file = Buffer.alloc(bytes);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64 bits, little endian, version 1
  file.writeUInt16LE(2, 16); // an executable
  file.writeUInt16LE(machines[architecture], 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(loadAddress + start), 24); // its entry
  file.writeBigUInt64LE(BigInt(headerBytes), 32); // where the program headers are
  file.writeUInt16LE(headerBytes, 52);
  file.writeUInt16LE(programHeaderBytes, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, headerBytes); // to be loaded
  file.writeUInt32LE(5, headerBytes + 4); // readable, executable
  file.writeBigUInt64LE(BigInt(loadAddress), headerBytes + 16);
  file.writeBigUInt64LE(BigInt(loadAddress), headerBytes + 24);
  file.writeBigUInt64LE(BigInt(bytes), headerBytes + 32);
  file.writeBigUInt64LE(BigInt(bytes), headerBytes + 40);
  file.writeBigUInt64LE(BigInt(alignment), headerBytes + 48);
  text.copy(file, start);
  return file;
}
