import { type Acme, AcmeFailed, type AcmeOptions, type OpenAcme } from '../../adapters/acme/port.ts';
import { messageOf } from '../../lib/errors.ts';
import type { WorkResult } from '../../lib/work-queue.ts';
import { newKeyPem } from '../../lib/x509/new-key.ts';
import { acmeAccountSecret, acmeAccountType, systemNamespace } from '../../resources/certificates.ts';
import type { Secret } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import type { ControllerContext } from '../controller-context.ts';
import type { ObjectWriter } from '../object-writer.ts';
import type { SharedInformer } from '../shared-informer.ts';
import { base64, textIn } from './secrets.ts';

/** What the grid says about its ACME server. */
export interface AcmeSettings {
  readonly directoryURL: string;
  readonly email: string;
  readonly caCertificate?: string;
}

export interface AcmeAccountOptions {
  readonly context: ControllerContext;
  readonly secrets: SharedInformer<Secret>;
  readonly writer: ObjectWriter;
  /** Loads the implementation: only a leader whose grid has an ACME server pays for it. */
  readonly loadAcme: () => Promise<OpenAcme>;
}

/** The account of the grid: its key is made once and kept in a Secret, which also tells whether the server knows it. */
export interface AcmeAccount {
  open(settings: AcmeSettings, signal: AbortSignal): Promise<Acme>;
  /** What it knows of the server may be wrong. */
  forget(): void;
  /** Makes the account, and writes into the Secret whether there is one. */
  register(settings: AcmeSettings, signal: AbortSignal): Promise<WorkResult>;
}

export const acmeAccountKey = `${systemNamespace}/${acmeAccountSecret}`;
const againAfterMs = 300_000;

export function createAcmeAccount(options: AcmeAccountOptions): AcmeAccount {
  const { context, secrets, writer } = options;
  const { events, log } = context;
  let opened: { readonly text: string; readonly acme: Acme } | undefined;

  async function ensureSecret(signal: AbortSignal): Promise<Secret> {
    const found = secrets.get(acmeAccountKey);
    if (found?.data?.key) return found;
    const data = { ...found?.data, key: base64(newKeyPem()) };
    const metadata = { name: acmeAccountSecret, namespace: systemNamespace };
    const made = found
      ? await writer.update(secrets, { ...found, data }, signal)
      : await writer.create(
          secrets,
          { apiVersion: 'v1', kind: 'Secret', metadata, type: acmeAccountType, data },
          signal,
        );
    if (!made) throw new Error(`Secret ${acmeAccountKey} has appeared meanwhile`); // seen by the next try
    return made;
  }

  async function open(settings: AcmeSettings, signal: AbortSignal): Promise<Acme> {
    const secret = await ensureSecret(signal);
    const keyId = textIn(secret, 'eab-key-id');
    const acmeOptions: AcmeOptions = {
      directoryURL: settings.directoryURL,
      email: settings.email,
      accountKey: textIn(secret, 'key'),
      ...(settings.caCertificate === undefined ? {} : { caCertificate: settings.caCertificate }),
      ...(keyId === '' ? {} : { externalAccount: { keyId, hmacKey: textIn(secret, 'eab-hmac-key') } }),
    };
    const text = JSON.stringify(acmeOptions);
    if (opened?.text !== text) opened = { text, acme: (await options.loadAcme())(acmeOptions) };
    return opened.acme;
  }

  async function register(settings: AcmeSettings, signal: AbortSignal): Promise<WorkResult> {
    const secret = await ensureSecret(signal);
    const { directoryURL } = settings;
    const said = secret.metadata.annotations ?? {};
    if (said[annotations.acmeAccount] && said[annotations.acmeDirectory] === directoryURL) return;
    try {
      const url = await (await open(settings, signal)).account(signal);
      await say(secret, { [annotations.acmeAccount]: url, [annotations.acmeDirectory]: directoryURL }, signal);
      log.info('registered with the ACME server', { directoryURL, account: url });
      return;
    } catch (error) {
      if (!(error instanceof AcmeFailed)) throw error;
      opened = undefined;
      const problem = messageOf(error);
      events.record(secret, 'Warning', 'NotRegistered', problem);
      await say(secret, { [annotations.acmeProblem]: problem, [annotations.acmeDirectory]: directoryURL }, signal);
      return { againAfterMs: Math.max(againAfterMs, Math.min(error.retryAfterMs ?? 0, 86_400_000)) };
    }
  }

  async function say(secret: Secret, said: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    const {
      [annotations.acmeAccount]: _account,
      [annotations.acmeProblem]: _problem,
      ...others
    } = secret.metadata.annotations ?? {};
    const next = { ...secret, metadata: { ...secret.metadata, annotations: { ...others, ...said } } };
    await writer.update(secrets, next, signal);
  }

  return {
    open,
    register,
    forget: () => {
      opened = undefined;
    },
  };
}
