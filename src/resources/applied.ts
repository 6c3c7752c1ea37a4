/** How far a node follows the EndpointSlices that it was sent, with its names, its service addresses and its proxy: its watermark. */
export interface Applied {
  /** All changes up to this resourceVersion are in force; 0: it has not told yet. */
  readonly revision: number;
  /** Why the newest ones could not be applied: it is not to be waited for. */
  readonly problem?: string;
  /** Of a node that lets traffic in. */
  readonly ingress?: IngressApplied;
}

/** How far a node's proxy follows what says whom it lets in; each a resourceVersion of that kind's objects, 0: not yet. */
export interface IngressApplied {
  readonly ingresses: number;
  /** Of type `kubernetes.io/tls`. */
  readonly secrets: number;
  readonly certificates: number;
  /** Why its proxy does not follow. */
  readonly problem?: string;
}

export const ingressKinds = ['ingresses', 'secrets', 'certificates'] as const;
export type IngressKind = (typeof ingressKinds)[number];

/** What a node's proxy does not do as an Ingress object asks for it. */
export interface IngressProblem {
  /** `<namespace>/<name>` */
  readonly ingress: string;
  /** One sentence. */
  readonly message: string;
}

/** A node tells of so many Ingress objects at most, those that come first by name, and so much about each. */
export const maxIngressProblems = 64;
export const maxIngressProblemLength = 300;
