import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import type { Stack } from '../../resources/kinds.ts';
import { parseStackFile } from '../../stack/parse.ts';

/** Which file, and what is said beside it. */
export interface StackFileFlags {
  readonly file?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly set: readonly string[];
}

/** In the order of the Compose specification, ours first. */
const fileNames = [
  'flotilla.yml',
  'flotilla.yaml',
  'compose.yaml',
  'compose.yml',
  'docker-compose.yaml',
  'docker-compose.yml',
];

/** The stack that the file says, with its warnings on standard error. Throws BadUsage, BadFile. */
export function readStackFile(flags: StackFileFlags): Stack {
  const fileName = flags.file ?? fileNames.find((name) => existsSync(name));
  if (fileName === undefined) {
    throw new FlotillaError('BadUsage', `no file given, and none of ${fileNames.join(', ')} is here`, {
      hint: 'flotilla deploy -f FILE',
    });
  }
  const path = resolve(fileName);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new FlotillaError('BadFile', `cannot read ${fileName}: ${messageOf(error)}`, { cause: error });
  }
  const parsed = parseStackFile({
    text,
    fileName,
    directory: dirname(path),
    readFile: (file) => readFileSync(file),
    environment: process.env,
    set: Object.fromEntries(flags.set.map(parseSet)),
    projectName: flags.name,
  });
  for (const warning of parsed.warnings) process.stderr.write(`warning: ${warning}\n`);
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: { name: parsed.name, namespace: flags.namespace ?? parsed.namespace },
    spec: parsed.spec,
  };
}

function parseSet(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new FlotillaError('BadUsage', `--set "${text}" is not KEY=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}
