import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

/** What a certificate says of itself. */
export interface CertificateFacts {
  /** Of hosts, lower case, and addresses; without the common name, which no client looks at any more. */
  readonly names: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Upper-case hex. */
  readonly serialNumber: string;
  /** Common name of who signed it, else its organisation. */
  readonly issuedBy: string;
}

export interface InspectedTls {
  /** Absent: the text is no certificate. */
  readonly facts?: CertificateFacts;
  /** What is wrong with certificates and key, one sentence; that one has expired is not said here. */
  readonly problem?: string;
}

/** More has no place in a TLS handshake. */
const maxChain = 10;

/** Looks at a chain (PEM, leaf first) and its key (PEM): whether they belong together, and what the leaf is for. */
export function inspectTls(chainPem: string, keyPem: string): InspectedTls {
  const blocks = chainPem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) return { problem: 'it has no certificate in PEM' };
  if (blocks.length > maxChain)
    return { problem: `it has ${blocks.length} certificates, at most ${maxChain} make a chain` };
  const chain: X509Certificate[] = [];
  for (const [at, block] of blocks.entries()) {
    try {
      chain.push(new X509Certificate(block));
    } catch {
      return { problem: `certificate ${at + 1} of ${blocks.length} cannot be read` };
    }
  }
  const [leaf] = chain;
  if (!leaf) return { problem: 'it has no certificate in PEM' };
  const facts = factsOf(leaf);
  const problem = keyProblem(leaf, keyPem, chain) ?? chainProblem(chain) ?? nameProblem(facts);
  return { facts, ...(problem === undefined ? {} : { problem }) };
}

function factsOf(leaf: X509Certificate): CertificateFacts {
  return {
    names: namesIn(leaf.subjectAltName ?? ''),
    notBeforeMs: leaf.validFromDate.getTime(),
    notAfterMs: leaf.validToDate.getTime(),
    serialNumber: leaf.serialNumber.toUpperCase(),
    issuedBy: nameIn(leaf.issuer),
  };
}

function keyProblem(leaf: X509Certificate, keyPem: string, chain: readonly X509Certificate[]): string | undefined {
  let key: KeyObject;
  try {
    key = createPrivateKey(keyPem);
  } catch {
    const isLocked = /ENCRYPTED/.test(keyPem);
    return isLocked ? 'the key is locked by a passphrase' : 'the key is no private key in PEM';
  }
  if (leaf.checkPrivateKey(key)) return undefined;
  const other = chain.findIndex((one) => one.checkPrivateKey(key));
  if (other > 0) return `the key belongs to certificate ${other + 1}: the one of the host comes first`;
  return `the key does not belong to the certificate for ${namesIn(leaf.subjectAltName ?? '')[0] ?? nameIn(leaf.subject)}`;
}

/** Each is signed by the one behind it; a client that knows the last one or its signer believes the first. */
function chainProblem(chain: readonly X509Certificate[]): string | undefined {
  for (const [at, one] of chain.entries()) {
    const next = chain[at + 1];
    if (!next || (one.checkIssued(next) && one.verify(next.publicKey))) continue;
    return `certificate ${at + 2} ("${nameIn(next.subject)}") did not sign certificate ${at + 1}, which names "${nameIn(one.issuer)}"`;
  }
  return undefined;
}

function nameProblem({ names }: CertificateFacts): string | undefined {
  return names.length > 0 ? undefined : 'the certificate names no host (subjectAltName): browsers do not take it';
}

/** `DNS:a.example, IP Address:10.0.0.1`, as OpenSSL writes it. */
function namesIn(text: string): readonly string[] {
  return text.split(', ').flatMap((part) => /^(?:DNS|IP Address):(.+)$/.exec(part)?.[1]?.toLowerCase() ?? []);
}

const longestName = 200;

/** Of `O=…\nCN=…`; whoever made the certificate chose it, and people read it on terminals. */
function nameIn(text: string): string {
  const part = (attribute: string) => new RegExp(`^${attribute}=(.+)$`, 'm').exec(text)?.[1];
  const name = part('CN') ?? part('O') ?? text.replaceAll('\n', ', ');
  return name.replace(/\p{Cc}/gu, '?').slice(0, longestName);
}

/** Whether the first certificate of a chain was signed with the key of an authority; both PEM. */
export function isSignedBy(certificatePem: string, authorityPem: string): boolean {
  try {
    return new X509Certificate(certificatePem).verify(new X509Certificate(authorityPem).publicKey);
  } catch {
    return false;
  }
}
