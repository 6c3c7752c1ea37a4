// Kubernetes' rules for names, labels and the like. Each gives sentences about what is wrong, none when it is right.
import { isIP } from 'node:net';

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const labelPattern = new RegExp(`^${label}$`);
const subdomainPattern = new RegExp(`^${label}(\\.${label})*$`);
const dns1035Pattern = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const qualifiedPattern = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const labelValuePattern = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const configKeyPattern = /^[-._a-zA-Z0-9]+$/;
const portNamePattern = /^[a-z0-9-]+$/;

export type Check = (value: string) => readonly string[];

const none: readonly string[] = [];

function lengthProblem(value: string, max: number): readonly string[] {
  return value.length > max ? [`must be no more than ${max} characters`] : none;
}

export const dnsLabel: Check = (value) => {
  if (!labelPattern.test(value) && subdomainPattern.test(value)) {
    return [...lengthProblem(value, 63), 'must not contain dots'];
  }
  return [...lengthProblem(value, 63), ...labelProblem(value)];
};

const labelProblem: Check = (value) =>
  labelPattern.test(value)
    ? none
    : [
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end " +
          `with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${label}')`,
      ];

export const dnsSubdomain: Check = (value) => [
  ...lengthProblem(value, 253),
  ...(subdomainPattern.test(value)
    ? none
    : [
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start " +
          "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " +
          `'${label}(\\.${label})*')`,
      ]),
];

/** A host name of a rule: a domain, or one whose first label is `*`. */
export const ingressHost: Check = (value) => {
  if (!value.includes('*')) return dnsSubdomain(value);
  const isRight = value.length <= 253 && value.startsWith('*.') && subdomainPattern.test(value.slice(2));
  if (isRight) return none;
  return [
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower " +
      "case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex " +
      `used for validation is '\\*\\.${label}(\\.${label})*')`,
  ];
};

export const dns1035Label: Check = (value) => [
  ...lengthProblem(value, 63),
  ...(dns1035Pattern.test(value)
    ? none
    : [
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic " +
          "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation " +
          "is '[a-z]([-a-z0-9]*[a-z0-9])?')",
      ]),
];

/** A name that may stand in a path, and little more: those of roles hold `:`. */
export const pathSegment: Check = (value) => {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  const bad = ['/', '%'].filter((letter) => value.includes(letter)).map((letter) => `may not contain '${letter}'`);
  return /^[\x20-\x7e]*$/.test(value) ? bad : [...bad, 'must consist of printable ASCII characters'];
};

/** `prefix/name` of a label, annotation, taint or condition. */
export const qualifiedName: Check = (value) => {
  const slash = value.indexOf('/');
  const prefix = slash < 0 ? undefined : value.slice(0, slash);
  const name = value.slice(slash + 1);
  const problems: string[] = [];
  if (prefix === '') problems.push('prefix part must be non-empty');
  else if (prefix !== undefined) problems.push(...dnsSubdomain(prefix).map((problem) => `prefix part ${problem}`));
  if (name === '') problems.push('name part must be non-empty');
  else if (name.length > 63) problems.push('name part must be no more than 63 characters');
  else if (!qualifiedPattern.test(name)) {
    problems.push(
      "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " +
        "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is " +
        "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
    );
  }
  return problems;
};

export const labelValue: Check = (value) => [
  ...lengthProblem(value, 63),
  ...(labelValuePattern.test(value)
    ? none
    : [
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start " +
          "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for " +
          "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
      ]),
];

/** A key of a ConfigMap or Secret: it becomes a file name. */
export const configKey: Check = (value) => {
  const problems = [...lengthProblem(value, 253)];
  if (!configKeyPattern.test(value)) {
    problems.push(
      "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  " +
        "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    );
  }
  if (value === '.' || value === '..') problems.push(`must not be '${value}'`);
  else if (value.startsWith('..')) problems.push("must not start with '..'");
  return problems;
};

export const portNumber = (value: number): readonly string[] =>
  Number.isInteger(value) && value >= 1 && value <= 65535 ? none : ['must be between 1 and 65535, inclusive'];

export const portName: Check = (value) => {
  const problems: string[] = [];
  if (value.length > 15) problems.push('must be no more than 15 characters');
  if (!portNamePattern.test(value))
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(value)) problems.push('must contain at least one letter (a-z)');
  if (value.includes('--')) problems.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) problems.push('must not begin or end with a hyphen');
  return problems;
};

/** A port number, or the name of one. */
export const portOrName = (value: number | string): readonly string[] =>
  typeof value === 'number' ? portNumber(value) : portName(value);

export const envName: Check = (value) =>
  /^[\x20-\x3c\x3e-\x7e]+$/.test(value)
    ? none
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];

export const ipAddress: Check = (value) =>
  isIP(value) > 0 ? none : ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];

/** An absolute path without `..`. */
export const absolutePath: Check = (value) => {
  if (!value.startsWith('/')) return ['must be an absolute path'];
  return value.split('/').includes('..') ? ["must not contain '..'"] : none;
};

/** A path below something: relative, without `..`. */
export const localPath: Check = (value) => {
  if (value.startsWith('/')) return ['must be a relative path'];
  return value.split('/').includes('..') ? ["must not contain '..'"] : none;
};

/** Such a path in a directory where names with `..` in front have a meaning of their own. */
export const unreservedPath: Check = (value) => {
  const problems = localPath(value);
  return value.startsWith('..') && !value.startsWith('../') ? [...problems, "must not start with '..'"] : problems;
};

export const headerName: Check = (value) =>
  /^[-A-Za-z0-9]+$/.test(value)
    ? none
    : [
        "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for " +
          "validation is '[-A-Za-z0-9]+')",
      ];

/** Of a user or group of Unix. */
export const unixId = (value: number): readonly string[] =>
  value >= 0 && value <= 0xffff_ffff ? none : ['must be between 0 and 4294967295, inclusive'];

/** Rights of a file. */
export const fileMode = (value: number): readonly string[] =>
  value >= 0 && value <= 0o777 ? none : ['must be a number between 0 and 0777 (octal), both inclusive'];

/** `25%` or a number, neither negative. */
export const countOrPercent = (value: number | string): readonly string[] => {
  if (typeof value === 'number') return value < 0 ? [nonNegativeMessage] : none;
  if (/^[0-9]+%$/.test(value)) return none;
  const what = "a valid percent string must be a numeric string followed by an ending '%'";
  return [`${what} (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')`];
};

export const nonNegativeMessage = 'must be greater than or equal to 0';

/** `10.80.3.0/24` or an IPv6 range. */
export const ipRange: Check = (value) => {
  const [address = '', length = '', ...rest] = value.split('/');
  const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  const isRight = rest.length === 0 && /^\d{1,3}$/.test(length) && Number(length) <= bits;
  return isRight ? none : ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'];
};
