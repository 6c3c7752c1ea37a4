import { describeRuntime } from './contract.ts';
import { createFakeRuntime } from './fake.ts';

describeRuntime('fake', async () => {
  const runtime = createFakeRuntime();
  runtime.images.add('busybox');
  return {
    runtime,
    image: 'busybox',
    networkName: 'flotilla',
    addresses: ['10.80.0.2', '10.80.0.3'],
    pause: async (id) => runtime.pause(id),
    close: async () => {},
  };
});
