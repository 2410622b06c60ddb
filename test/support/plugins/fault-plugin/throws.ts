/** A plugin whose code cannot even be loaded. */
throw new Error('no native part for this machine');
