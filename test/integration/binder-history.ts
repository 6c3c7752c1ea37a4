// Who placed which pod, read from the history of the store itself: each commit of a server leaves a receipt of its process,
// and each term of a leader begins with a key, under the same revision as what they belong to.
import { pods } from '../../src/resources/kinds.ts';
import { openIdentity } from '../../src/server/auth/identity.ts';
import { createCipher } from '../../src/server/registry/cipher.ts';
import { createObjectCodec } from '../../src/server/registry/object-codec.ts';
import { readResourceVersions } from '../../src/server/registry/resource-version.ts';
import { termKey } from '../../src/server/term.ts';
import { type EtcdTls, openEtcdStore } from '../../src/store/etcd.ts';
import type { Change, Entry } from '../../src/store/port.ts';

export interface Binding {
  readonly key: string;
  readonly uid: string;
  readonly nodeName: string;
  readonly revision: number;
  /** Process that wrote it, by its receipts; '' when the receipt is no longer there. */
  readonly process: string;
  /** Process whose term it was. */
  readonly leader: string;
}

export interface BinderHistory {
  readonly bindings: readonly Binding[];
  /** In order: which process began a term, under which name. */
  readonly terms: readonly { readonly revision: number; readonly process: string; readonly holder: string }[];
}

const root = '/flotilla';

/** From the beginning of the store until now; its history must not have been compacted. */
export async function readBinderHistory(
  endpoints: readonly string[],
  identityDirectory: string,
  tls?: EtcdTls,
): Promise<BinderHistory> {
  const options = { endpoints, ...(tls ? { tls } : {}) };
  const plain = await openEtcdStore(options);
  const raw = await openEtcdStore({ ...options, prefix: '' });
  try {
    const { secretsKey } = await openIdentity(identityDirectory, Date.now());
    const codec = createObjectCodec(createCipher(secretsKey), await readResourceVersions(plain));
    const head = await raw.head();
    const nodeNameOf = (entry: Entry | undefined) => {
      if (!entry) return { uid: '', nodeName: undefined };
      const pod = codec.decode(pods, entry.key.slice(root.length), entry.value, entry.modRevision);
      const { spec, metadata } = pod as typeof pod & { readonly spec?: { readonly nodeName?: string } };
      return { uid: metadata.uid ?? '', nodeName: spec?.nodeName };
    };
    const bindings: Binding[] = [];
    const terms: { revision: number; process: string; holder: string }[] = [];
    const onRevision = (changes: readonly Change[]) => {
      const puts = changes.flatMap((change) => (change.type === 'put' ? [change] : []));
      const receipt = puts.find(({ entry }) => entry.key.startsWith(`${root}#`));
      const process = receipt?.entry.key.slice(root.length + 1).split('/')[0] ?? '';
      for (const { entry, previous } of puts) {
        const revision = entry.modRevision;
        if (entry.key === root + termKey) {
          const { holder } = JSON.parse(Buffer.from(entry.value).toString()) as { holder: string };
          terms.push({ revision, process, holder });
        }
        if (!entry.key.includes('/core/pods/')) continue;
        const [before, now] = [nodeNameOf(previous), nodeNameOf(entry)];
        if (now.nodeName === undefined || now.nodeName === before.nodeName) continue;
        const leader = terms.at(-1)?.process ?? 'nobody';
        bindings.push({ key: entry.key, uid: now.uid, nodeName: now.nodeName, revision, process, leader });
      }
    };
    const stop = new AbortController();
    await new Promise<void>((resolve, reject) => {
      raw.watch(root, {
        afterRevision: 1,
        signal: stop.signal,
        onEnd: reject,
        onChanges: (changes) => {
          for (const group of byRevision(changes)) onRevision(group);
          if (revisionOf(changes.at(-1)!) >= head) resolve();
        },
      });
      // Nothing of ours may stand at the very head.
      void raw.commit([], [{ type: 'put', key: `${root}/meta/read`, value: new Uint8Array() }]);
    });
    stop.abort();
    return { bindings, terms };
  } finally {
    await Promise.all([plain.close(), raw.close()]);
  }
}

/** Sentences about pods that were placed twice, or by a process that did not lead at that revision. */
export function foreignBindings({ bindings }: BinderHistory): string[] {
  const placed = new Map<string, Binding>();
  const wrong: string[] = [];
  for (const one of bindings) {
    const first = placed.get(one.uid);
    if (first)
      wrong.push(
        `${one.key} was placed on ${first.nodeName} at ${first.revision} and on ${one.nodeName} at ${one.revision}`,
      );
    placed.set(one.uid, one);
    if (one.process !== one.leader)
      wrong.push(`${one.key} was placed at ${one.revision} by ${one.process} in the term of ${one.leader}`);
  }
  return wrong;
}

function revisionOf(change: Change): number {
  return change.type === 'put' ? change.entry.modRevision : change.revision;
}

function byRevision(changes: readonly Change[]): Change[][] {
  const groups: Change[][] = [];
  for (const change of changes) {
    const last = groups.at(-1);
    if (last?.[0] && revisionOf(last[0]) === revisionOf(change)) last.push(change);
    else groups.push([change]);
  }
  return groups;
}
