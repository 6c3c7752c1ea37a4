import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import { readIfThere, writeAtomically } from '../../lib/files.ts';

/** What precedes the 32 bytes of an X25519 private key in PKCS #8 (RFC 8410 §7). */
const derPrefix = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** The public key of the one in this file, which is made at the first call and never leaves the host. Base64, as wg(8) has it. */
export async function openWireguardKey(path: string): Promise<string> {
  const text = (await readIfThere(path)) ?? (await makeKey(path));
  const raw = Buffer.from(text.trim(), 'base64');
  try {
    if (raw.length !== 32) throw new Error(`it has ${raw.length} bytes instead of 32`);
    return publicKeyOf(createPrivateKey({ key: Buffer.concat([derPrefix, raw]), format: 'der', type: 'pkcs8' }));
  } catch (cause) {
    throw new FlotillaError('BadFile', `${path} is no WireGuard key: ${messageOf(cause)}`, {
      cause,
      hint: 'Remove it: a new one is made, and the other nodes learn of it',
    });
  }
}

function publicKeyOf(key: KeyObject): string {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64');
}

async function makeKey(path: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('x25519');
  const text = `${privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32).toString('base64')}\n`;
  await writeAtomically(path, text);
  return text;
}
