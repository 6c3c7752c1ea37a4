const blockBytes = 512;

export interface TarFile {
  readonly path: string;
  readonly mode: number;
  readonly data: Buffer;
}

/** A tar archive (POSIX ustar) of small files, the same bytes for the same files: no times, no owners. */
export function renderTar(files: readonly TarFile[]): Buffer {
  const blocks = files.flatMap(({ path, mode, data }) => {
    const padding = Buffer.alloc((blockBytes - (data.length % blockBytes)) % blockBytes);
    return [renderHeader(path, mode, data.length), data, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]);
}

function renderHeader(path: string, mode: number, bytes: number): Buffer {
  if (Buffer.byteLength(path) > 100) throw new Error(`"${path}" is too long for a tar archive`);
  const header = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, digits: number) =>
    header.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  header.write(path, 0);
  octal(mode, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(bytes, 124, 11);
  octal(0, 136, 11);
  header.write('        ', 148, 'latin1'); // counts as spaces in the sum
  header.write('0', 156, 'latin1');
  header.write('ustar\u000000', 257, 'latin1');
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  header.writeUInt8(0, 154);
  return header;
}
