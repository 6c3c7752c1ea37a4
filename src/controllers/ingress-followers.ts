import type { Clock } from '../lib/clock.ts';
import type { IngressKind } from '../resources/applied.ts';
import { isIngressNode } from '../resources/ingress-node.ts';
import type { Node } from '../resources/kinds.ts';
import type { LivenessPort } from './liveness.ts';
import type { SharedInformer } from './shared-informer.ts';

export interface IngressFollowersOptions {
  readonly grid: string;
  readonly nodes: Pick<SharedInformer<Node>, 'list' | 'onChange'>;
  readonly liveness: LivenessPort;
  readonly clock: Clock;
}

/** Which ingress nodes serve a revision of what says whom they let in. */
export interface IngressFollowers {
  at(kind: IngressKind, revision: number): Following;
  /** Called when an ingress node has told something new, or which nodes there are has changed. Returns how to stop listening. */
  onChange(listener: () => void): () => void;
}

/** Names of ingress nodes that are heard; the others are not waited for. */
export interface Following {
  /** Serve it. */
  readonly served: readonly string[];
  /** Will. One that falls silent leaves without a call of `onChange`: look again within `deadAfterMs`. */
  readonly lagging: readonly string[];
  /** Cannot, and why. */
  readonly sick: ReadonlyMap<string, string>;
}

/** A node silent for longer is not waited for. */
export const deadAfterMs = 3_000;

/** What nodes tell on their liveness connections; nothing of it is stored, and nothing is asked of them. */
export function createIngressFollowers(options: IngressFollowersOptions): IngressFollowers {
  const { grid, nodes, liveness, clock } = options;
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of listeners) listener();
  };
  nodes.onChange((_name, node, old) => {
    if (isIngressNode(node) !== isIngressNode(old)) tell();
  });

  return {
    at(kind, revision) {
      const served: string[] = [];
      const lagging: string[] = [];
      const sick = new Map<string, string>();
      const nowMs = clock.monotonicMs();
      for (const node of nodes.list()) {
        const { name } = node.metadata;
        const heardMs = liveness.lastHeardMs(grid, name);
        if (!isIngressNode(node) || heardMs === undefined || nowMs - heardMs > deadAfterMs) continue;
        const { ingress } = liveness.appliedOf(grid, name) ?? {};
        if (ingress?.problem !== undefined) sick.set(name, ingress.problem);
        else if (ingress && ingress[kind] >= revision) served.push(name);
        else lagging.push(name);
      }
      return { served, lagging, sick };
    },
    onChange(listener) {
      const stops = [
        liveness.onApplied((of, name) => {
          if (of === grid && liveness.appliedOf(of, name)?.ingress) listener();
        }),
        liveness.onChange((of) => {
          if (of === grid) listener();
        }),
      ];
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        for (const stop of stops) stop();
      };
    },
  };
}
