import { FlotillaError } from '../lib/errors.ts';
import { defaultGridIngress, type GridIngress, type GridIngressSpec, gridIngressErrors } from './grid-ingress.ts';

/** How one field of a grid's way in is said on the command line; the same words for server, up, lab and grid. */
export interface IngressFlag {
  /** `acme` has a command of its own. */
  readonly field: Exclude<keyof GridIngress, 'acme'>;
  readonly form: 'text' | 'number' | 'boolean' | 'list';
  /** As commander takes it: `--base-domain <domain>`. */
  readonly usage: string;
  readonly description: string;
  readonly fallback?: number;
}

const { httpPort, httpsPort, maxConnections } = defaultGridIngress;

export const ingressFlags: readonly IngressFlag[] = [
  flag('baseDomain', 'text', '--base-domain <domain>', 'services are reached at <service>.<stack>.<domain>'),
  flag('httpPort', 'number', '--ingress-http-port <port>', 'of HTTP on ingress nodes', httpPort),
  flag('httpsPort', 'number', '--ingress-https-port <port>', 'of HTTPS on ingress nodes', httpsPort),
  flag('trustedProxies', 'list', '--trusted-proxy <cidr>', 'is believed about clients’ addresses; may be repeated'),
  flag('acceptProxyProtocol', 'boolean', '--accept-proxy-protocol <true|false>', 'trusted proxies speak it'),
  flag('maxConnections', 'number', '--ingress-max-connections <n>', 'at a time, to one ingress node', maxConnections),
  flag('healthPath', 'text', '--ingress-health-path <path>', 'answered with 200, for a load balancer in front'),
];

function flag(
  field: IngressFlag['field'],
  form: IngressFlag['form'],
  usage: string,
  description: string,
  fallback?: number,
): IngressFlag {
  return { field, form, usage, description, ...(fallback === undefined ? {} : { fallback }) };
}

function optionOf({ usage }: IngressFlag): string {
  return usage.split(' ')[0] ?? '';
}

/** As commander gives them: `baseDomain`, `ingressHttpPort`; absent: not said. */
export type IngressFlags = Readonly<Partial<Record<string, unknown>>>;

/** What was said, for a merge patch: null for `none`. Throws BadUsage; what only the server can tell it tells. */
export function parseIngressFlags(flags: IngressFlags): Readonly<Record<string, unknown>> {
  const said: Record<string, unknown> = {};
  for (const one of ingressFlags) {
    const key = optionOf(one)
      .slice(2)
      .replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const value = flags[key];
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    said[one.field] = saidValue(one, value);
  }
  return said;
}

function saidValue(one: IngressFlag, value: unknown): unknown {
  const texts = [value].flat().map(String);
  const [text = ''] = texts;
  if (texts.length === 1 && text === 'none') return one.form === 'list' ? [] : null;
  if (one.form === 'list') return texts;
  if (one.form === 'text') return text;
  const isRight = one.form === 'number' ? /^[1-9]\d{0,6}$/.test(text) : text === 'true' || text === 'false';
  if (!isRight) {
    const what = one.form === 'number' ? 'no number' : 'neither true nor false';
    throw new FlotillaError('BadUsage', `${optionOf(one)} "${text}" is ${what}`, { hint: hintOf(one) });
  }
  return one.form === 'number' ? Number(text) : text === 'true';
}

/** What was said of a new cluster, nothing else. Throws BadUsage that names the option at fault. */
export function readIngressFlags(flags: IngressFlags): GridIngressSpec {
  const said = Object.entries(parseIngressFlags(flags)).filter(([, value]) => value !== null);
  const spec = Object.fromEntries(said) as GridIngressSpec;
  const [error] = gridIngressErrors(spec, '');
  if (!error) return spec;
  const found = ingressFlags.find(({ field }) => error.field.startsWith(`.${field}`));
  const [name, hint] = found ? [optionOf(found), hintOf(found)] : ['ingress', 'flotilla server --help'];
  throw new FlotillaError('BadUsage', `${name}: ${error.message}`, { hint });
}

/** The option that says a field. */
export function ingressFlagName(field: keyof GridIngress): string {
  const found = ingressFlags.find((one) => one.field === field);
  return found ? optionOf(found) : field;
}

/** The options that say it again, for a service that is started later. */
export function ingressArgs(spec: GridIngressSpec): string[] {
  return ingressFlags.flatMap((one) => {
    const value = spec[one.field];
    if (value === undefined) return [];
    return [value].flat().flatMap((each) => [optionOf(one), String(each)]);
  });
}

function hintOf({ usage, description }: IngressFlag): string {
  return `${usage}: ${description}`;
}
