/** One line that changes on a terminal; a new line for each change elsewhere. Goes to standard error. */
export interface Progress {
  show(text: string): void;
  end(): void;
}

export function createProgress(out: NodeJS.WriteStream = process.stderr): Progress {
  let shown = '';
  return {
    show: (text) => {
      if (text === shown) return;
      shown = text;
      if (!out.isTTY) out.write(`${text}\n`);
      else out.write(`\r\x1b[2K${text.slice(0, Math.max(20, (out.columns ?? 80) - 1))}`);
    },
    end: () => {
      if (out.isTTY && shown !== '') out.write('\r\x1b[2K');
      shown = '';
    },
  };
}
