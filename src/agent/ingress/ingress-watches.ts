import type { Client } from '../../client/client.ts';
import { type Informer, type InformerOptions, keyOf, startInformer } from '../../client/informer.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { IngressKind } from '../../resources/applied.ts';
import {
  type Certificate,
  certificates as certificateKind,
  ingressClasses as classKind,
  type Ingress,
  type IngressClass,
  ingresses as ingressKind,
  type Secret,
  secrets as secretKind,
} from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { IngressObjects } from '../disk/ingress-file.ts';

export interface IngressWatchesOptions {
  readonly client: Client;
  /** From disk: told first, and what a server no longer lists is told as gone. */
  readonly remembered: IngressObjects | undefined;
  readonly onIngress: (key: string, ingress: Ingress | undefined) => void;
  readonly onClass: (key: string, ingressClass: IngressClass | undefined) => void;
  readonly onSecret: (key: string, secret: Secret | undefined) => void;
  readonly onCertificate: (key: string, certificate: Certificate | undefined) => void;
  /** After each of them, and when everything has been read. */
  readonly onChange: () => void;
  /** Nothing has changed, and it is true for a later revision. */
  readonly onBookmark: () => void;
  readonly log: Logger;
  readonly clock: Clock;
}

/** What says whom a node lets in; read by nodes that do so, by no others. */
export interface IngressWatches {
  /** It is known, from disk or from a server. */
  readonly isKnown: boolean;
  /** From a server, all of it. */
  readonly isSynced: boolean;
  /** Up to which revision each kind is known; 0: from disk. */
  readonly revisions: Readonly<Record<IngressKind, number>>;
  objects(): IngressObjects;
  stop(): Promise<void>;
}

export function startIngressWatches(options: IngressWatchesOptions): IngressWatches {
  const { client, remembered, onChange, log, clock } = options;

  const watch = <T extends ApiObject>(
    kind: InformerOptions<T>['kind'],
    known: readonly T[],
    tell: (key: string, object: T | undefined) => void,
    fieldSelector?: string,
  ): Informer<T> & { readonly objects: () => readonly T[] } => {
    for (const one of known) tell(keyOf(one), one);
    const informer = startInformer<T>({
      ...{ client, kind, log, clock, onBookmark: options.onBookmark },
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      onChange: (key, object) => {
        tell(key, object);
        onChange();
      },
    });
    void informer.synced.then(() => {
      for (const one of known) if (!informer.get(keyOf(one))) tell(keyOf(one), undefined);
      onChange();
    });
    return Object.assign(informer, { objects: () => (informer.isSynced ? [...informer.list()] : known) });
  };

  const ingresses = watch(ingressKind, remembered?.ingresses ?? [], options.onIngress);
  const classes = watch(classKind, remembered?.classes ?? [], options.onClass);
  const certificates = watch(certificateKind, remembered?.certificates ?? [], options.onCertificate);
  /** Of these two types a node may read all there are. */
  const watchSecrets = (type: string) => {
    const known = remembered?.secrets.filter((one) => one.type === type) ?? [];
    return watch(secretKind, known, options.onSecret, `type=${type}`);
  };
  const pairs = watchSecrets('kubernetes.io/tls');
  const users = watchSecrets('flotilla.dev/basic-auth');
  const informers = [ingresses, classes, certificates, pairs, users];

  const isSynced = () => informers.every((informer) => informer.isSynced);
  return {
    get isKnown() {
      return remembered !== undefined || isSynced();
    },
    get isSynced() {
      return isSynced();
    },
    get revisions() {
      return {
        ingresses: revisionOf(ingresses),
        certificates: revisionOf(certificates),
        secrets: revisionOf(pairs),
      };
    },
    objects: () => ({
      ingresses: ingresses.objects(),
      classes: classes.objects(),
      certificates: certificates.objects(),
      secrets: [...pairs.objects(), ...users.objects()],
    }),
    stop: async () => {
      await Promise.all(informers.map((informer) => informer.stop()));
    },
  };
}

function revisionOf({ resourceVersion }: Pick<Informer<ApiObject>, 'resourceVersion'>): number {
  return Number(resourceVersion ?? 0);
}
