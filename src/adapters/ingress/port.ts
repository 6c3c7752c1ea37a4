/**
 * Lets the world in on one host: a proxy process that outlives its agent. Takes the whole desired state and does work in
 * proportion to what differs from the last one; what can be changed while it runs is, anything else by a reload that loses
 * no connection. Touches only its own process and its own directory.
 */
export interface IngressProxy {
  /**
   * Resolves when all of it is in force in every worker, old ones that only finish their connections too: no new request goes
   * to an endpoint that is not in `state` any more. Requests under way go on. What cannot be taken (a route whose options the
   * proxy refuses) keeps its last good form, or is answered 503 where there is none, and the answer says why; all else is in force.
   * Starts the process where there is none. One call at a time. Throws HostToolFailed (a port that is taken is named with who
   * holds it; a full disk; no answer within the deadline), and then does everything anew at the next call.
   */
  apply(state: IngressState): Promise<IngressOutcome>;
  /** True when the process is gone, or not as it was left: everything is to be done anew. Cheap enough for every second. */
  hasDrifted(): Promise<boolean>;
  /** Sums over all workers; what a worker that is gone had counted stays in. Throws HostToolFailed. */
  stats(): Promise<IngressStats>;
  /** The agent stops: the proxy goes on. */
  stop(): Promise<void>;
  /**
   * This host lets nobody new in: no new connections. Resolves when those that exist have ended, or after `graceSeconds`; until
   * `end`, `apply` goes on being followed: over a connection that exists one more request may come. Throws HostToolFailed where
   * nothing was applied, and then all is as before.
   */
  retire(graceSeconds: number): Promise<void>;
  /** No new connections; those that exist may take `graceSeconds`, then the process ends. Nobody tells it meanwhile who has gone. */
  end(graceSeconds: number): Promise<void>;
}

export interface IngressOutcome {
  /** By the key of a route, a TCP listener or a certificate: why it is not in force as it was asked for, one sentence. */
  readonly problems: ReadonlyMap<string, string>;
  /** How the change was made; undefined: nothing had to change. */
  readonly by?: 'runtime' | 'reload' | 'start';
}

/**
 * Everything in maps keyed by name; a value that is the same as in the last state (by identity) is taken as unchanged, so never
 * change one in place.
 */
export interface IngressState {
  readonly settings: IngressSettings;
  /** Key: `<namespace>/<Ingress object>#<n>`; for problems. */
  readonly routes: ReadonlyMap<string, IngressRoute>;
  /** Key: its name. */
  readonly backends: ReadonlyMap<string, IngressBackend>;
  /** Plain TCP, by key as routes. */
  readonly listeners: ReadonlyMap<string, TcpListener>;
  /** Key: `<namespace>/<Secret>`. */
  readonly certificates: ReadonlyMap<string, IngressCertificate>;
  /** ACME's HTTP-01: token → what `/.well-known/acme-challenge/<token>` answers on port 80, for every host. */
  readonly challenges: ReadonlyMap<string, string>;
}

/** Of one host, all routes. */
export interface IngressSettings {
  /** Default 80 and 443. */
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Whose `X-Forwarded-For`, `Forwarded` and PROXY protocol are believed, CIDRs. Empty: nobody's, they are replaced. */
  readonly trustedProxies: readonly string[];
  /** PROXY protocol is expected from `trustedProxies`. */
  readonly acceptsProxyProtocol: boolean;
  /** At a time, per host. */
  readonly maxConnections: number;
  /** Answered with 200 on port 80 for any host, where a load balancer in front looks. Absent: none. */
  readonly healthPath?: string;
}

/** What a request must be like, and what is done with it. */
export interface IngressRoute {
  /** Absent: any host that no other route has. `*.example.org`: exactly one label more. Lower case, no port. */
  readonly host?: string;
  /** As Kubernetes': `Prefix` goes by elements (`/a` takes `/a/b`, not `/ab`); the longest wins, `Exact` before `Prefix`. */
  readonly path: string;
  readonly pathType: 'Exact' | 'Prefix';
  /** A key of `backends`. */
  readonly backend: string;
  readonly options: RouteOptions;
}

/** Each absent: not done. */
export interface RouteOptions {
  /** 308 to https; never for ACME challenges. */
  readonly redirectsToHttps?: boolean;
  /** The matched path is replaced by this: `/` strips it. */
  readonly rewritePath?: string;
  readonly basicAuth?: {
    readonly realm: string /** `name:hash`, hashes of crypt(3). */;
    readonly users: readonly string[];
  };
  /** CIDRs; of the client. `deny` wins. Others get 403. */
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly setRequestHeaders?: Readonly<Record<string, string>>;
  readonly removeRequestHeaders?: readonly string[];
  readonly setResponseHeaders?: Readonly<Record<string, string>>;
  readonly removeResponseHeaders?: readonly string[];
  /** A larger one gets 413. */
  readonly maxBodyBytes?: number;
  /** Strict-Transport-Security with this max-age. */
  readonly hstsSeconds?: number;
  /** Answered with 503 while no endpoint is ready. Absent: a short text. */
  readonly maintenancePage?: string;
}

export interface IngressBackend {
  /** `<namespace>/<service>:<port>`, with more behind it where options differ. */
  readonly name: string;
  /** `tcp`: bytes; for listeners and passthrough. */
  readonly mode: 'http' | 'tcp';
  /** Ready ones; a key of the grid, stable: the same on all hosts and over restarts. */
  readonly endpoints: readonly IngressEndpoint[];
  readonly options: BackendOptions;
}

export interface IngressEndpoint {
  readonly address: string;
  readonly port: number;
  /** `<namespace>/<pod>`; for statistics and the access log. */
  readonly pod?: string;
}

/** Each absent: the default that is named. All hosts choose alike: a client stays with its instance through any of them. */
export interface BackendOptions {
  /** Default `roundrobin`. `source` and `uri`: consistent hashing. */
  readonly balance?: 'roundrobin' | 'leastconn' | 'random' | 'source' | 'uri';
  /** A cookie of this name; `secret` makes its values, the same on all hosts. Default: none. */
  readonly cookie?: { readonly name: string; readonly secret: string };
  /** Towards the instances. Default `http`. `h2`: without TLS. The `https` ones do not check who it is unless `serverName` and `caCertificate` say. */
  readonly protocol?: 'http' | 'h2' | 'https' | 'h2s';
  readonly serverName?: string;
  /** PEM */
  readonly caCertificate?: string;
  /** The proxy's own look at an instance, besides the agent's. Default: TCP connect, every 2 s, 2 fail, 1 succeeds. */
  readonly healthCheck?: {
    readonly type: 'tcp' | 'http' | 'none';
    readonly path?: string;
    readonly host?: string;
    readonly intervalMs?: number;
    readonly timeoutMs?: number;
    readonly fall?: number;
    readonly rise?: number;
  };
  /** Default 2 s. */
  readonly connectTimeoutMs?: number;
  /** Until an answer begins, and between its parts. Default 60 s. */
  readonly serverTimeoutMs?: number;
  /** Of a WebSocket or a plain TCP connection on which nobody speaks. Default 1 h. */
  readonly tunnelTimeoutMs?: number;
  /**
   * After connect failures, and of GET, HEAD and OPTIONS where an instance ended without an answer; anything else that was sent is
   * never sent again. Default 3, each with another instance. 0: each request has a connection of its own, too.
   */
  readonly retries?: number;
  /** At a time, to one instance; more wait. Default: no limit. */
  readonly maxConnectionsPerEndpoint?: number;
  /** PROXY protocol v2 towards the instances. */
  readonly sendsProxyProtocol?: boolean;
}

export interface TcpListener {
  readonly port: number;
  /** Absent: takes everything on `port`. With names: TLS is not ended here, the client's SNI chooses; on `httpsPort` beside all HTTPS hosts. */
  readonly serverNames?: readonly string[];
  /** A key of `backends`, of mode `tcp`. */
  readonly backend: string;
  /** CIDRs that may connect. Absent: all. `deny` wins. */
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

export interface IngressCertificate {
  /** For which it is shown: exact names and `*.…`. Empty: those that stand in it. The most exact one wins. */
  readonly hosts: readonly string[];
  /** Leaf first, PEM. */
  readonly chain: string;
  /** PEM */
  readonly key: string;
  /** Shown to a client that names no host we know. At most one. */
  readonly isDefault?: boolean;
}

export interface IngressStats {
  /** Since the process was first started. */
  readonly version: string;
  readonly pid: number;
  /** Workers of earlier configurations that still have connections. */
  readonly oldWorkers: number;
  readonly connections: number;
  readonly reloads: number;
  readonly backends: ReadonlyMap<string, BackendStats>;
  /** By host as routes say it. */
  readonly hosts: ReadonlyMap<string, { readonly requests: number; readonly errors: number }>;
}

/** One request, or one TCP connection, when it is over. Times that are absent were not reached. */
export interface AccessEntry {
  readonly kind: 'http' | 'tcp';
  /** Since 1970, when it began. */
  readonly timeMs: number;
  /** Address of the client; of the one for whom a trusted proxy speaks. */
  readonly client: string;
  /** Towards us, and from us. */
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly totalMs: number;
  /** After connect failures. */
  readonly retries: number;
  /** HAProxy's termination state, `--` and the like (configuration.txt, 8.5). */
  readonly end: string;
  /** As the client says it, and as routes say it (`*`: any other). */
  readonly host?: string;
  readonly routeHost?: string;
  readonly method?: string;
  /** Without the query: secrets stand there. */
  readonly path?: string;
  readonly protocol?: string;
  readonly status?: number;
  /** Of a TCP listener. */
  readonly port?: number;
  readonly requestMs?: number;
  readonly queueMs?: number;
  readonly connectMs?: number;
  readonly responseMs?: number;
  readonly tlsVersion?: string;
  /** As in `IngressState.backends`. */
  readonly backend?: string;
  /** `address:port` */
  readonly endpoint?: string;
  readonly pod?: string;
}

export interface BackendStats {
  readonly sessions: number;
  readonly requests: number;
  /** 5xx of instances, and answers that the proxy gave for want of one. */
  readonly errors: number;
  readonly retries: number;
  /** Means over the last 1,024 requests, ms. */
  readonly connectMs: number;
  readonly responseMs: number;
  readonly endpoints: ReadonlyMap<
    string,
    {
      readonly state: 'up' | 'down' | 'leaving';
      readonly why?: string;
      readonly sessions: number;
      readonly requests: number;
    }
  >;
}
