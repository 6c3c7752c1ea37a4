// What an ACME server answers, checked once.
import { isObject } from '../../resources/json.ts';
import type { HttpAnswer } from './https.ts';
import { AcmeFailed, type AcmeOrder } from './port.ts';

export interface Directory {
  readonly newNonce: string;
  readonly newAccount: string;
  readonly newOrder: string;
}

export interface Authorization {
  readonly host: string;
  readonly status: string;
  readonly challenges: readonly {
    readonly type: string;
    readonly url: string;
    readonly token: string;
    readonly status: string;
    readonly problem?: Problem;
  }[];
}

/** RFC 7807, with those of each host where there are several. */
export interface Problem {
  /** Last part of the URN. */
  readonly type: string;
  readonly words: string;
}

const longestWords = 1_000;

export function parseDirectory(answer: HttpAnswer, url: string): Directory {
  const body = parseBody(answer);
  const { newNonce, newAccount, newOrder } = body ?? {};
  if (answer.status !== 200 || !isText(newNonce) || !isText(newAccount) || !isText(newOrder)) {
    throw new AcmeFailed(`${url} is no ACME directory: it answered ${answer.status} ${shorten(answer.body)}`, {
      status: answer.status,
      hint: "give the server's directory: flotilla certificate register EMAIL --directory URL",
    });
  }
  return { newNonce, newAccount, newOrder };
}

const orderStates = ['pending', 'ready', 'processing', 'valid', 'invalid'] as const;

export function parseOrder(answer: HttpAnswer, url: string, nowMs: number): AcmeOrder {
  const body = parseBody(answer);
  const status = orderStates.find((one) => one === body?.status);
  const { finalize, authorizations, certificate, error } = body ?? {};
  if (status === undefined || !isText(finalize) || !Array.isArray(authorizations)) throw strange('an order', answer);
  const problem = parseProblem(error);
  const retryAfterMs = retryAfterOf(answer, nowMs);
  return {
    url,
    status,
    finalizeURL: finalize,
    authorizationURLs: authorizations.filter(isText),
    ...(isText(certificate) ? { certificateURL: certificate } : {}),
    ...(problem ? { problem: problem.words } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

export function parseAuthorization(answer: HttpAnswer): Authorization {
  const body = parseBody(answer);
  const host = isObject(body?.identifier) ? body.identifier.value : undefined;
  if (!isText(host) || !isText(body?.status) || !Array.isArray(body.challenges)) {
    throw strange('an authorization', answer);
  }
  const challenges = body.challenges.filter(isObject).map(({ type, url, token, status, error }) => {
    const problem = parseProblem(error);
    return {
      ...{ type: text(type), url: text(url), token: text(token), status: text(status) },
      ...(problem ? { problem } : {}),
    };
  });
  return { host, status: body.status, challenges };
}

/** Of a challenge. */
export function parseStatus(answer: HttpAnswer): string {
  return text(parseBody(answer)?.status);
}

/** The error that an answer other than a good one is. */
export function failureIn(answer: HttpAnswer, doing: string, nowMs: number): AcmeFailed {
  const problem = parseProblem(parseBody(answer));
  const words = problem?.words ?? `it answered ${answer.status} ${shorten(answer.body)}`.trim();
  return new AcmeFailed(`the ACME server refused ${doing}: ${words}`, {
    type: problem?.type ?? '',
    status: answer.status,
    retryAfterMs: retryAfterOf(answer, nowMs),
  });
}

export function problemTypeOf(answer: HttpAnswer): string {
  return parseProblem(parseBody(answer))?.type ?? '';
}

function parseProblem(value: unknown): Problem | undefined {
  if (!isObject(value) || (!isText(value.type) && !isText(value.detail))) return undefined;
  const type = text(value.type).split(':').at(-1) ?? '';
  const parts = Array.isArray(value.subproblems)
    ? value.subproblems.filter(isObject).map((one) => {
        const host = isObject(one.identifier) ? text(one.identifier.value) : '';
        return `${host}: ${text(one.detail)}`;
      })
    : [];
  const words = [text(value.detail) || type, ...parts].join('; ');
  return { type, words: type === '' || words === type ? shorten(words) : shorten(`${words} (${type})`) };
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterOf(answer: HttpAnswer, nowMs: number): number | undefined {
  const value = answer.header('retry-after')?.trim();
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1_000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

function parseBody(answer: HttpAnswer): Record<string, unknown> | undefined {
  try {
    const body: unknown = JSON.parse(answer.body);
    return isObject(body) ? body : undefined;
  } catch {
    return undefined;
  }
}

function strange(what: string, answer: HttpAnswer): AcmeFailed {
  return new AcmeFailed(`the ACME server answered something else than ${what}: ${shorten(answer.body)}`, {
    status: answer.status,
  });
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** One line, of printable characters. */
function shorten(words: string): string {
  const line = words.replace(/[^\x20-\x7e\u00a0-\uffff]+/g, ' ').trim();
  return line.length > longestWords ? `${line.slice(0, longestWords)}…` : line;
}
