import { FlotillaError } from '../../lib/errors.ts';
import { serviceProxyContract } from './contract.ts';
import { createFakeServiceProxy } from './fake.ts';

serviceProxyContract('fake services', async () => {
  const proxy = createFakeServiceProxy();
  return {
    proxy,
    takers: async (address, port) => proxy.takers(address, port),
    breakOnce: () => proxy.failNext(new FlotillaError('HostToolFailed', '"nft -f -" failed, exit code 1')),
    takeAway: async () => proxy.takeAway(),
  };
});
