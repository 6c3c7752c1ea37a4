/** Splits as a POSIX shell would, without expansion: quotes and backslashes. Undefined when a quote is not closed. */
export function splitShellWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? '';
    if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= '';
    if (character === "'") {
      const end = text.indexOf("'", at + 1);
      if (end < 0) return undefined;
      word += text.slice(at + 1, end);
      at = end;
    } else if (character === '"') {
      const quoted = doubleQuoted(text, at + 1);
      if (!quoted) return undefined;
      word += quoted.text;
      at = quoted.end;
    } else if (character === '\\') {
      at += 1;
      if (at >= text.length) return undefined;
      if (text[at] !== '\n') word += text[at];
    } else word += character;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** From behind the opening quote; `end` is where the closing one stands. */
function doubleQuoted(text: string, start: number): { text: string; end: number } | undefined {
  let out = '';
  for (let at = start; at < text.length; at++) {
    const character = text[at] ?? '';
    if (character === '"') return { text: out, end: at };
    const next = text[at + 1] ?? '';
    if (character === '\\' && '"\\$`\n'.includes(next) && next !== '') {
      if (next !== '\n') out += next;
      at += 1;
    } else out += character;
  }
  return undefined;
}
