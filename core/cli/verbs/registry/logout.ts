import { configPath, Logins, serverOf } from '../../credentials/index.ts';
import { verb } from '../../verb.ts';

export const logout = verb({
  arguments: '[server]',
  notes: `Forgets the login, for Docker's clients too: they keep it in the same place. Without SERVER it is Docker Hub.

  gantry logout reg.example:5000`,
  async action(context, [given = '']) {
    const server = serverOf(given);
    const wasThere = new Logins(configPath(process.env)).remove(server);
    context.print(wasThere ? `Removing login credentials for ${server}` : `Not logged in to ${server}`);
  },
});
