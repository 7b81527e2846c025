"""Group `attribution`: who stands behind a namespace, and in which country."""
