import { parse as parseYaml } from 'yaml';
import { type Decodable, type Decoded, decodeJson, decodeValue, type Strictness } from '../../resources/decode.ts';
import { decodeProtobuf } from '../../resources/protobuf.ts';
import { badRequest, tooLarge, unsupportedMediaType } from '../registry/api-errors.ts';
import type { HttpRequest } from '../request.ts';

export const maxBodyBytes = 3 * 1024 * 1024;

/** The whole body. Throws ApiError 413 as soon as it is known to be too large. */
export async function readBody(request: HttpRequest): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) throw tooLarge(maxBodyBytes);
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Left as it is when too large: destroying the request would cut off the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw tooLarge(maxBodyBytes);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
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
      return decodeValue(decodable, yamlValue(body), { strictness });
    case protobuf:
      return decodeProtobuf(decodable, body, { strictness });
    default:
      throw unsupportedMediaType(type, [json, yaml, protobuf]);
  }
}

/** A body that is JSON, or YAML where that is allowed: a patch. */
export function parseJsonBody(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw badRequest(`error decoding patch: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function yamlValue(body: Buffer): unknown {
  try {
    // Aliases are counted: a few lines must not become gigabytes.
    return parseYaml(body.toString('utf8'), { maxAliasCount: 100, strict: true, uniqueKeys: true });
  } catch (error) {
    throw badRequest(`error converting YAML to JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
