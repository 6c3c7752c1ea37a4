import { ingressProxyContract } from './contract.ts';
import { createFakeIngressProxy } from './fake.ts';

ingressProxyContract('fake ingress proxy', async () => {
  const proxy = createFakeIngressProxy();
  return {
    proxy,
    settings: { httpPort: 80, httpsPort: 443, trustedProxies: [], acceptsProxyProtocol: false, maxConnections: 1_000 },
    instance: (number) => ({ address: `10.80.1.${number}`, port: 8080 }),
    ask: async (host, path) => {
      const takers = proxy.takers(host, path);
      if (takers?.length === 0) return '503';
      return takers ? `200 ${takers[0]?.address.split('.').at(-1)}` : '404';
    },
    kill: async () => proxy.kill(),
    close: async () => {},
  };
});
