import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import { refuseNewer } from './agent-state.ts';

/** A kind of file whose content is for this node alone. */
export interface SealedForm {
  /** Other purposes have other keys. */
  readonly purpose: string;
  readonly version: number;
}

const ivBytes = 12;
const tagBytes = 16;

/**
 * One line of JSON with the version, then iv ‖ ciphertext ‖ tag (AES-256-GCM under a key made from the node's own key):
 * a copy of the file alone tells nothing. The version line is the additional data.
 */
export function seal(value: object, { purpose, version }: SealedForm, nodeKeyPem: string): Buffer {
  const header = Buffer.from(`${JSON.stringify({ version })}\n`);
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', keyFrom(nodeKeyPem, purpose), iv);
  cipher.setAAD(header);
  const text = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
  return Buffer.concat([header, iv, text, cipher.getAuthTag()]);
}

/** What was sealed. Throws StoreTooNew, or StoreCorrupt when the file was damaged or belongs to another node. */
export function unseal(sealed: Buffer, form: SealedForm, nodeKeyPem: string, path: string): unknown {
  const end = sealed.indexOf(0x0a) + 1;
  const header = sealed.subarray(0, end);
  let version: unknown;
  try {
    version = (JSON.parse(header.toString('utf8')) as { version?: unknown }).version;
  } catch {
    version = undefined;
  }
  refuseNewer(version, form.version, path);
  try {
    const body = sealed.subarray(end);
    const decipher = createDecipheriv('aes-256-gcm', keyFrom(nodeKeyPem, form.purpose), body.subarray(0, ivBytes));
    decipher.setAAD(header);
    decipher.setAuthTag(body.subarray(-tagBytes));
    const text = Buffer.concat([decipher.update(body.subarray(ivBytes, -tagBytes)), decipher.final()]);
    return JSON.parse(text.toString('utf8'));
  } catch (cause) {
    throw new FlotillaError('StoreCorrupt', `${path} cannot be read: ${messageOf(cause)}`, {
      hint: 'Remove it; the agent gets its content from a server again',
      cause,
    });
  }
}

function keyFrom(nodeKeyPem: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', nodeKeyPem, 'flotilla', purpose, 32));
}
