import { definePlugin } from '@gantry/sdk';
import { serve } from './serve.ts';

export default definePlugin({
  activate: () => Promise.resolve({ drivers: { frontend: { docker: { serve } } } }),
});
