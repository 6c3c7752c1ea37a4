// A transcript: commands as a user types them, and what they print. Form of a file:
//   # a remark
//   $ kubectl create configmap c --from-literal=a=1     the command, a line of sh(1); `\` at its end continues it
//   configmap/c created                                 what it prints, standard error included
//   ? 1                                                 it ends with this code (default 0)
// In what is printed, `{{…}}` is a regular expression and a line `...` stands for any lines. Blanks in a row count as one.
//   $~ …        is asked again until it prints that, for at most 30 s
//   $(>=31) …   only with clients of this minor release or a newer one; also `<31`, `=31`
//   $& …        goes on in the background; what it printed is asked by `$ printed N` (N: 1 is the first of the file)
export interface Step {
  readonly line: number;
  readonly command: string;
  readonly mode: 'once' | 'until' | 'background';
  readonly versions?: { readonly how: '>=' | '<' | '='; readonly minor: number };
  readonly expected: readonly string[];
  readonly code: number;
}

/** Throws with the file's line when it is not a transcript. */
export function parseTranscript(text: string, file: string): readonly Step[] {
  const steps: { -readonly [K in keyof Step]: Step[K] }[] = [];
  const lines = text.split('\n');
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? '';
    const last = steps.at(-1);
    if (line.startsWith('#') || (line === '' && !last)) continue;
    const start = /^\$([~&]?)(?:\((>=|<|=)(\d+)\))? (.+)$/.exec(line);
    if (start) {
      const [, mark, how, minor, rest = ''] = start;
      let command = rest;
      const number = index + 1;
      while (command.endsWith('\\')) command = `${command.slice(0, -1)}${(lines[++index] ?? '').trimStart()}`;
      steps.push({
        ...{ line: number, command, expected: [], code: 0 },
        mode: mark === '~' ? 'until' : mark === '&' ? 'background' : 'once',
        ...(how === undefined ? {} : { versions: { how: how as '>=' | '<' | '=', minor: Number(minor) } }),
      });
      continue;
    }
    if (!last) throw new Error(`${file}:${index + 1}: output before the first command`);
    const code = /^\? (\d+)$/.exec(line);
    if (code) last.code = Number(code[1]);
    else if (line !== '') last.expected = [...last.expected, line];
  }
  return steps;
}

export function isFor(step: Step, minor: number): boolean {
  const { versions } = step;
  if (!versions) return true;
  if (versions.how === '>=') return minor >= versions.minor;
  return versions.how === '<' ? minor < versions.minor : minor === versions.minor;
}

/** Whether these lines are what was expected. Empty lines do not count. */
export function matches(expected: readonly string[], printed: string): boolean {
  const lines = printed
    .split('\n')
    .map(plain)
    .filter((line) => line !== '');
  return matchFrom(expected.map(patternOf), lines);
}

/** `undefined`: any lines. */
function matchFrom(patterns: readonly (RegExp | undefined)[], lines: readonly string[]): boolean {
  const [first, ...rest] = patterns;
  if (patterns.length === 0) return lines.length === 0;
  if (first === undefined) {
    for (let skipped = 0; skipped <= lines.length; skipped++) if (matchFrom(rest, lines.slice(skipped))) return true;
    return false;
  }
  const [line, ...others] = lines;
  return line !== undefined && first.test(line) && matchFrom(rest, others);
}

function patternOf(line: string): RegExp | undefined {
  if (line.trim() === '...') return undefined;
  const parts = plain(line).split(/\{\{(.*?)\}\}/);
  const source = parts.map((part, index) =>
    index % 2 === 1 ? `(?:${part})` : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
  );
  return new RegExp(`^${source.join('')}$`);
}

function plain(line: string): string {
  return line.replace(/\r/g, '').replace(/\s+/g, ' ').trim();
}
