/** Opens a connection for one page alone, over the best transport that the network lets through. */
import { stayConnected } from "./connection.js";
import { TRANSPORTS } from "./transports.js";

/** @param {import("./types").ConnectionOptions} options @returns {import("./types").Connection} */
export const openOwn = (options) => stayConnected({ transports: TRANSPORTS, ...options });
