import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { FlotillaError, messageOf } from '../lib/errors.ts';

/** Which cluster, grid and identity the command line speaks with. */
export interface Context {
  readonly name: string;
  /** `https://host:port`, at least one. */
  readonly servers: readonly string[];
  readonly grid: string;
  /** PEM of the CA that the servers' certificates come from. */
  readonly caCertificate: string;
  readonly token: string;
}

/** `contexts` by name; `currentContext` is absent when none was chosen. */
export interface ContextsFile {
  readonly version: 1;
  readonly currentContext?: string;
  readonly contexts: Readonly<Record<string, Omit<Context, 'name'>>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

const emptyFile: ContextsFile = { version: 1, contexts: {} };

/** `$FLOTILLA_CONFIG`, else `$XDG_CONFIG_HOME/flotilla/config.json`, else `~/.config/flotilla/config.json`. */
export function contextsPath(environment: Environment = process.env): string {
  if (environment.FLOTILLA_CONFIG) return environment.FLOTILLA_CONFIG;
  const root = environment.XDG_CONFIG_HOME || join(environment.HOME || homedir(), '.config');
  return join(root, 'flotilla', 'config.json');
}

/** A file that is not there is an empty one. Throws BadFile when it is no contexts file. */
export function readContexts(path: string): ContextsFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return emptyFile;
    throw new FlotillaError('BadFile', `cannot read the contexts file ${path}: ${messageOf(error)}`, { cause: error });
  }
  return parseContexts(text, path);
}

export function parseContexts(text: string, path: string): ContextsFile {
  const bad = (why: string): FlotillaError =>
    new FlotillaError('BadFile', `contexts file ${path}: ${why}`, {
      hint: 'repair it, or move it away and log in again',
    });
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (error) {
    throw bad(messageOf(error));
  }
  if (!isRecord(file) || file.version !== 1) throw bad('it has no "version": 1');
  if (!isRecord(file.contexts)) throw bad('"contexts" is no object');
  for (const [name, context] of Object.entries(file.contexts)) {
    if (!isContext(context)) throw bad(`context "${name}" lacks servers, grid, caCertificate or token`);
  }
  if (file.currentContext !== undefined && typeof file.currentContext !== 'string')
    throw bad('"currentContext" is no name');
  return file as unknown as ContextsFile;
}

/** Readable by its owner only (it holds tokens); replaced as a whole, so that a reader never sees half of it. */
export function writeContexts(path: string, file: ContextsFile): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(temporary, `${JSON.stringify(file, undefined, 2)}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new FlotillaError('BadFile', `cannot write the contexts file ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** Adds or replaces one context; the others stay. */
export function saveContext(path: string, context: Context, options: { readonly makeCurrent: boolean }): void {
  const file = readContexts(path);
  const { name, ...rest } = context;
  writeContexts(path, {
    ...file,
    ...(options.makeCurrent ? { currentContext: name } : {}),
    contexts: { ...file.contexts, [name]: rest },
  });
}

const maxServers = 10;

/**
 * Keeps the servers that one of them told of, those first; ones known before stay, for a day when the others are gone. Nothing
 * happens when the context is another one by now.
 */
export function addServers(path: string, context: Context, servers: readonly string[]): void {
  const file = readContexts(path);
  const kept = file.contexts[context.name];
  if (kept === undefined || kept.caCertificate !== context.caCertificate) return;
  const all = [...new Set([...servers, ...kept.servers])].slice(0, maxServers);
  if (all.every((server) => kept.servers.includes(server))) return;
  writeContexts(path, { ...file, contexts: { ...file.contexts, [context.name]: { ...kept, servers: all } } });
}

/** True when it was there. When it was the current one, there is no current one any more. */
export function removeContext(path: string, name: string): boolean {
  const { currentContext, contexts, ...file } = readContexts(path);
  if (!Object.hasOwn(contexts, name)) return false;
  const { [name]: _, ...others } = contexts;
  const isCurrent = currentContext === name;
  writeContexts(path, {
    ...file,
    ...(currentContext === undefined || isCurrent ? {} : { currentContext }),
    contexts: others,
  });
  return true;
}

/** The one named by `wanted` (`--context`), else by `$FLOTILLA_CONTEXT`, else the current one. Throws NotFound. */
export function selectContext(
  file: ContextsFile,
  wanted: string | undefined,
  environment: Environment = process.env,
): Context {
  const name = wanted ?? (environment.FLOTILLA_CONTEXT || undefined) ?? file.currentContext;
  const names = Object.keys(file.contexts);
  if (name === undefined) {
    throw new FlotillaError('NotFound', 'no context is chosen', {
      hint:
        names.length === 0
          ? 'start a server with "flotilla up", or a lab with "flotilla lab up"'
          : `choose one: flotilla context use ${names[0]}`,
    });
  }
  const context = Object.hasOwn(file.contexts, name) ? file.contexts[name] : undefined;
  if (!context) {
    throw new FlotillaError('NotFound', `context "${name}" does not exist`, {
      hint: names.length === 0 ? 'start a server with "flotilla up"' : `there are: ${names.join(', ')}`,
    });
  }
  return { name, ...context };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isContext(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { servers, grid, caCertificate, token } = value;
  const areServers = Array.isArray(servers) && servers.length > 0 && servers.every((one) => typeof one === 'string');
  return areServers && [grid, caCertificate, token].every((one) => typeof one === 'string');
}
