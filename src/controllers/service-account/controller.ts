import {
  serviceAccounts as accountKind,
  configMaps as configMapKind,
  namespaces as namespaceKind,
  type Secret,
  type ServiceAccount,
  secrets as secretKind,
} from '../../resources/kinds.ts';
import type { ClusterFacts } from '../cluster-facts.ts';
import type { ControllerContext, RunningController } from '../controller-context.ts';
import { createObjectWriter } from '../object-writer.ts';
import { startReconciler } from '../reconciler.ts';
import {
  accountNameAnnotation,
  base64,
  certificateKey,
  defaultAccountName,
  type NamespaceStep,
  planNamespaceAccount,
  planTokenSecret,
  rootCertificateName,
  type SecretStep,
  tokenSecretType,
} from './plan.ts';

/**
 * Gives each namespace its account `default` and the authority's certificate, and fills Secrets that ask for a token.
 * Writes: those two objects; `data` and an annotation of Secrets of type `kubernetes.io/service-account-token`.
 */
export function startServiceAccountController(context: ControllerContext, cluster: ClusterFacts): RunningController {
  const namespaces = context.informers.of(namespaceKind);
  const accounts = context.informers.of(accountKind);
  const configMaps = context.informers.of(configMapKind);
  const secrets = context.informers.of(secretKind);
  const writer = createObjectWriter(context.client);
  const { caCertificate } = cluster;
  secrets.index('account', (secret) => {
    const account = accountKeyOf(secret);
    return account === undefined ? [] : [account];
  });

  const ofNamespaces = startReconciler({ name: 'service-account', context, reconcile: reconcileNamespace });
  const ofSecrets = startReconciler({ name: 'service-account-token', context, reconcile: reconcileSecret });
  namespaces.onChange((key) => ofNamespaces.add(key));
  accounts.onChange((key, object) => {
    const [namespace = '', name] = key.split('/');
    if (!object && name === defaultAccountName) ofNamespaces.add(namespace);
    for (const secret of secrets.byIndex('account', key)) ofSecrets.add(`${namespace}/${secret.metadata.name}`);
  });
  configMaps.onChange((key) => {
    const [namespace = '', name] = key.split('/');
    if (name === rootCertificateName) ofNamespaces.add(namespace);
  });
  secrets.onChange((key, object) => {
    if (object && accountKeyOf(object) !== undefined) ofSecrets.add(key);
  });

  async function reconcileNamespace(name: string, signal: AbortSignal): Promise<void> {
    const namespace = namespaces.get(name);
    if (!namespace) return;
    const steps = planNamespaceAccount({
      namespace,
      account: accounts.get(`${name}/${defaultAccountName}`),
      certificate: configMaps.get(`${name}/${rootCertificateName}`),
      caCertificate,
    });
    for (const step of steps) await applyToNamespace(name, step, signal);
  }

  async function applyToNamespace(namespace: string, step: NamespaceStep, signal: AbortSignal): Promise<void> {
    switch (step.type) {
      case 'createAccount': {
        const metadata = { name: defaultAccountName, namespace };
        await writer.create(accounts, { apiVersion: 'v1', kind: accountKind.kind, metadata }, signal);
        return;
      }
      case 'createCertificate': {
        const metadata = { name: rootCertificateName, namespace };
        const data = { [certificateKey]: caCertificate };
        await writer.create(configMaps, { apiVersion: 'v1', kind: configMapKind.kind, metadata, data }, signal);
        return;
      }
      case 'updateCertificate':
        await writer.update(configMaps, step.configMap, signal);
    }
  }

  async function reconcileSecret(key: string, signal: AbortSignal): Promise<void> {
    const secret = secrets.get(key);
    const account = secret && accountKeyOf(secret);
    if (!secret || account === undefined) return;
    const steps = planTokenSecret({ secret, account: accounts.get(account), caCertificate });
    for (const step of steps) await applyToSecret(step, signal);
  }

  async function applyToSecret(step: SecretStep, signal: AbortSignal): Promise<void> {
    if (step.type === 'delete') return await writer.remove(secrets, step.secret, { signal });
    const { secret, account, needsToken } = step;
    const token = needsToken ? { token: base64(await tokenFor(secret, account)) } : {};
    await writer.update(secrets, { ...secret, data: { ...secret.data, ...token } }, signal);
  }

  const tokenFor = (secret: Secret, account: ServiceAccount): Promise<string> =>
    cluster.issueSecretToken({
      grid: context.client.grid,
      namespace: secret.metadata.namespace ?? '',
      account: { name: account.metadata.name, uid: account.metadata.uid ?? '' },
      secret: { name: secret.metadata.name, uid: secret.metadata.uid ?? '' },
    });

  return {
    stop: async () => {
      await Promise.all([ofNamespaces.stop(), ofSecrets.stop()]);
    },
  };
}

/** `namespace/name` of the account that a Secret asks a token of; undefined: it asks for none. */
function accountKeyOf(secret: Secret): string | undefined {
  const name = secret.metadata.annotations?.[accountNameAnnotation];
  return secret.type === tokenSecretType && name ? `${secret.metadata.namespace ?? ''}/${name}` : undefined;
}
