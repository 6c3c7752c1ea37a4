import { FlotillaError } from '../../../lib/errors.ts';
import { type Exec, exec as run } from '../../../lib/exec.ts';

/** `2.6.12-1+deb12u4` and what it was built with. */
export interface HaproxyVersion {
  readonly text: string;
  readonly features: ReadonlySet<string>;
}

const minimum = [2, 6] as const;
/** TLS; passwords as crypt(3) has them. */
const needed = ['OPENSSL', 'CRYPT_H'] as const;

/** Out of `haproxy -vv`. */
export function parseVersion(printed: string): HaproxyVersion | undefined {
  const [, text] = /^HAProxy version (\S+)/m.exec(printed) ?? [];
  const [, list = ''] = /^Feature list : (.*)$/m.exec(printed) ?? [];
  if (text === undefined) return undefined;
  const features = list.split(' ').filter((one) => one.startsWith('+'));
  return { text, features: new Set(features.map((one) => one.slice(1))) };
}

/** Why it cannot be used; undefined: it can. */
export function lacks({ text, features }: HaproxyVersion): string | undefined {
  const [major = 0, minor = 0] = text.split('.').map((part) => Number.parseInt(part, 10));
  const isOld = major < minimum[0] || (major === minimum[0] && minor < minimum[1]);
  if (isOld) return `HAProxy is ${text}; ${minimum.join('.')} or later is needed`;
  const missing = needed.filter((feature) => !features.has(feature));
  return missing.length > 0 ? `HAProxy ${text} was built without ${missing.join(', ')}` : undefined;
}

/** Throws HostToolFailed where there is none that can be used. */
export async function probeVersion(program: string, exec: Exec = run): Promise<HaproxyVersion> {
  const { stdout } = await exec([program, '-vv']).catch((cause) => {
    throw new FlotillaError('HostToolFailed', `cannot run HAProxy ("${program}"): it is needed on an ingress node`, {
      cause,
      hint: 'install the package haproxy, 2.6 or later; its own service need not run',
    });
  });
  const version = parseVersion(stdout);
  const why = version ? lacks(version) : `"${program} -vv" does not say which version it is: ${stdout.slice(0, 200)}`;
  if (!version || why !== undefined) {
    throw new FlotillaError('HostToolFailed', why ?? '', { hint: 'install haproxy 2.6 or later on this host' });
  }
  return version;
}
