import { ApiError } from '../../resources/api-error.ts';
import {
  type Decodable,
  type Decoded,
  decodeJson,
  decodeValue,
  duplicateField,
  type Strictness,
} from '../../resources/decode.ts';
import { findDuplicateKeys } from '../../resources/duplicate-keys.ts';
import { decodeProtobuf } from '../../resources/protobuf.ts';
import { type ParsedYaml, parseYamlBody } from '../../resources/yaml-duplicates.ts';
import { badRequest, tooLarge, unsupportedMediaType } from '../registry/api-errors.ts';
import type { HttpRequest } from '../request.ts';

export const maxBodyBytes = 3 * 1024 * 1024;

/** From the beginning of a request to the end of its body. */
const bodyTimeoutMs = 30_000;

/** The whole body. Throws ApiError 413 as soon as it is known to be too large, 408 when it does not come to an end. */
export function readBody(request: HttpRequest): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return Promise.reject(tooLarge(maxBodyBytes));
  if (request.destroyed) return Promise.reject(clientGone());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (run: () => void) => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
      run();
    };
    const timer = setTimeout(() => settle(() => reject(tooSlow())), bodyTimeoutMs);
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      // Left as it is when too large: destroying the request would cut off the answer.
      if (bytes > maxBodyBytes) settle(() => reject(tooLarge(maxBodyBytes)));
    };
    const onEnd = () => settle(() => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    const onError = (error: Error) => settle(() => reject(error));
    const onClose = () => settle(() => reject(clientGone()));
    request.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  });
}

/** What is thrown away of a body that is too large, so that its sender hears the answer before the connection ends. */
const discardBytes = 64 * 1024 * 1024;
const discardMs = 2_000;

/** Resolves when the rest of the body has come, or enough of it. */
export function discardBody(request: HttpRequest): Promise<void> {
  if (request.destroyed || request.readableEnded) return Promise.resolve();
  return new Promise((resolve) => {
    let bytes = 0;
    const done = () => {
      clearTimeout(timer);
      request.off('data', onData).off('end', done).off('close', done);
      resolve();
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > discardBytes) done();
    };
    const timer = setTimeout(done, discardMs);
    request.on('data', onData).on('end', done).on('close', done);
  });
}

function clientGone(): ApiError {
  return badRequest('the client went away before the end of the body');
}

function tooSlow(): ApiError {
  const message = `the body of the request did not come to an end within ${bodyTimeoutMs / 1000} s`;
  return new ApiError({ code: 408, reason: 'Timeout', message });
}

const json = 'application/json';
const yaml = 'application/yaml';
const protobuf = 'application/vnd.kubernetes.protobuf';

/** Without parameters, in lower case; absent means JSON. */
export function mediaType(request: HttpRequest): string {
  const [type = ''] = `${request.headers['content-type'] ?? ''}`.split(';');
  return type.trim().toLowerCase() || json;
}

/** Throws ApiError 400 for what cannot be understood, 415 for a form that we do not know. */
export function decodeBody<T>(
  decodable: Decodable & { readonly type?: T },
  body: Buffer,
  type: string,
  strictness: Strictness,
): Decoded<T> {
  switch (type) {
    case json:
      return decodeJson(decodable, body, { strictness });
    case yaml:
      return decodeYaml(decodable, body, strictness);
    case protobuf:
      return decodeProtobuf(decodable, body, { strictness });
    default:
      throw unsupportedMediaType(type, [json, yaml, protobuf]);
  }
}

/** A patch, with what `fieldValidation` says about its text. */
export interface PatchText {
  readonly value: unknown;
  /** Of keys that stand twice. */
  readonly problems: readonly string[];
}

/** A patch in JSON. Throws ApiError 400. */
export function parseJsonPatch(body: Buffer): PatchText {
  const text = body.toString('utf8');
  try {
    return { value: JSON.parse(text), problems: findDuplicateKeys(text).map(duplicateField) };
  } catch (error) {
    throw badRequest(`error decoding patch: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** An apply, in YAML or JSON. Throws ApiError 400. */
export function parseApplyBody(body: Buffer): PatchText {
  const text = body.toString('utf8');
  // What clients really send; YAML's own parser is far slower.
  if (text.trimStart().startsWith('{')) {
    try {
      return { value: JSON.parse(text), problems: findDuplicateKeys(text).map(duplicateField) };
    } catch {
      // YAML may begin like that, too.
    }
  }
  const { value, duplicates } = yamlOf(body, 'error decoding YAML');
  return { value, problems: yamlProblems(duplicates) };
}

function decodeYaml<T>(decodable: Decodable & { readonly type?: T }, body: Buffer, strictness: Strictness): Decoded<T> {
  const { value, duplicates } = yamlOf(body, 'error converting YAML to JSON');
  return decodeValue(decodable, value, { strictness, problems: yamlProblems(duplicates) });
}

function yamlProblems(duplicates: readonly string[]): string[] {
  if (duplicates.length === 0) return [];
  return [`yaml: unmarshal errors:\n${duplicates.map((one) => `  ${one}`).join('\n')}`];
}

function yamlOf(body: Buffer, what: string): ParsedYaml {
  try {
    return parseYamlBody(body.toString('utf8'));
  } catch (error) {
    throw badRequest(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
