import { FlotillaError, hasCode, messageOf } from '../../lib/errors.ts';
import type { Exec } from '../../lib/exec.ts';
import { tableName } from './layout.ts';

/** The oldest nft that this was tried with. */
const triedVersion = '1.0.6';
/** A whole load of 10,000 endpoints takes a second on a slow machine. */
const loadTimeoutMs = 30_000;

/** One transaction. Throws HostToolFailed; an nft that may be too old is named in the hint. */
export async function loadTable(exec: Exec, script: string): Promise<void> {
  try {
    await exec(['nft', '-f', '-'], { stdin: script, timeoutMs: loadTimeoutMs });
  } catch (error) {
    const version = await exec(['nft', '--version']).then(
      ({ stdout }) => /v(\d+\.\d+\.\d+)/.exec(stdout)?.[1],
      () => undefined,
    );
    if (!hasCode(error, 'HostToolFailed') || version === undefined || !isOlder(version, triedVersion)) throw error;
    throw new FlotillaError('HostToolFailed', messageOf(error), {
      cause: error,
      retryable: error.retryable,
      hint: `install nftables ${triedVersion} or newer; this host has ${version}`,
    });
  }
}

export async function removeTable(exec: Exec): Promise<void> {
  await exec(['nft', '-f', '-'], { stdin: `table ip ${tableName} {}\ndelete table ip ${tableName}\n` });
}

/** Names of the chains. Takes 4 ms whatever is in the maps; nearly everything else makes nft read them all. */
export async function listChains(exec: Exec): Promise<ReadonlySet<string>> {
  const { stdout } = await exec(['nft', '-j', 'list', 'chains', 'ip']);
  const chains = parseListing(stdout).flatMap(({ chain }) => (chain?.table === tableName ? [chain.name] : []));
  return new Set(chains);
}

/** Chain → number of its rules. 0.3 s with 5,000 services: nft reads the maps, though it does not print them. */
export async function countRules(exec: Exec): Promise<ReadonlyMap<string, number>> {
  const { stdout, code } = await exec(['nft', '-j', '-t', 'list', 'table', 'ip', tableName], {
    timeoutMs: loadTimeoutMs,
    okCodes: [0, 1], // no such table
  });
  const counts = new Map<string, number>();
  if (code !== 0) return counts;
  for (const { chain, rule } of parseListing(stdout)) {
    if (chain) counts.set(chain.name, counts.get(chain.name) ?? 0);
    if (rule) counts.set(rule.chain, (counts.get(rule.chain) ?? 0) + 1);
  }
  return counts;
}

interface Listed {
  readonly chain?: { readonly table: string; readonly name: string };
  readonly rule?: { readonly chain: string };
}

function parseListing(text: string): readonly Listed[] {
  try {
    return (JSON.parse(text) as { nftables: Listed[] }).nftables;
  } catch (cause) {
    throw new FlotillaError('HostToolFailed', `cannot read the answer of "nft -j": ${messageOf(cause)}`, { cause });
  }
}

function isOlder(version: string, than: string): boolean {
  const [one = [], other = []] = [version, than].map((text) => text.split('.').map(Number));
  const index = one.findIndex((part, at) => part !== other[at]);
  return index >= 0 && (one[index] ?? 0) < (other[index] ?? 0);
}
