import { createCipheriv, createDecipheriv, createSecretKey, randomFillSync } from 'node:crypto';
import { FlotillaError } from '../../lib/errors.ts';

/** Encryption of whole objects at rest. A text opens only under the store key it was sealed for. */
export interface Cipher {
  /** Base64 of iv ‖ ciphertext ‖ tag. */
  seal(storeKey: string, plain: string): string;
  /** Throws FlotillaError StoreCorrupt when the text was changed, moved, or sealed with another secret. */
  open(storeKey: string, sealed: string): string;
}

const ivBytes = 12;
const tagBytes = 16;

/** AES-256-GCM, additional data = the store key. `secret`: 32 bytes. */
export function createCipher(secret: Uint8Array): Cipher {
  if (secret.length !== 32) throw new Error(`the encryption secret has ${secret.length} bytes instead of 32`);
  // A key object is three times as fast as bytes, which are looked at anew for each object.
  const key = createSecretKey(secret);
  const nextIv = ivSource();
  return {
    seal: (storeKey, plain) => {
      const iv = nextIv();
      const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
      cipher.setAAD(Buffer.from(storeKey));
      const body = Buffer.concat([iv, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return body.toString('base64');
    },
    open: (storeKey, sealed) => {
      const body = Buffer.from(sealed, 'base64');
      if (body.length < ivBytes + tagBytes) throw unreadable(storeKey, new Error('too short'));
      const decipher = createDecipheriv('aes-256-gcm', key, body.subarray(0, ivBytes), { authTagLength: tagBytes });
      decipher.setAAD(Buffer.from(storeKey));
      decipher.setAuthTag(body.subarray(body.length - tagBytes));
      try {
        return (
          decipher.update(body.subarray(ivBytes, body.length - tagBytes), undefined, 'utf8') + decipher.final('utf8')
        );
      } catch (cause) {
        throw unreadable(storeKey, cause);
      }
    },
  };
}

/** Random bytes are taken in stock; none is given out twice. */
function ivSource(): () => Uint8Array {
  const stock = new Uint8Array(ivBytes * 256);
  let used = stock.length;
  return () => {
    if (used === stock.length) {
      randomFillSync(stock);
      used = 0;
    }
    used += ivBytes;
    return stock.subarray(used - ivBytes, used);
  };
}

function unreadable(storeKey: string, cause: unknown): FlotillaError {
  return new FlotillaError('StoreCorrupt', `cannot decrypt ${storeKey}: it was written with another secrets.key`, {
    hint: 'Put the secrets.key of the server that wrote this data into the identity directory',
    cause,
  });
}
