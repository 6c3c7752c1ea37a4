/** What controllers cannot read from objects: it belongs to the servers themselves. */
export interface ClusterFacts {
  /** PEM, of the authority that every server's certificate comes from. */
  readonly caCertificate: string;
  /** `https://host:port` of all servers, as others reach them. */
  servers(): readonly string[];
  /** A token without an end for a Secret of type `kubernetes.io/service-account-token`; it ends with Secret and account. */
  issueSecretToken(claims: SecretTokenClaims): Promise<string>;
}

export interface SecretTokenClaims {
  readonly grid: string;
  readonly namespace: string;
  readonly account: { readonly name: string; readonly uid: string };
  readonly secret: { readonly name: string; readonly uid: string };
}
