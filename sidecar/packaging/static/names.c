// SPDX-License-Identifier: Apache-2.0
/*
 * Part of the static program only. It must not load the name services that the machine is
 * configured for: they are shared objects, made for another glibc. Files and DNS are built in.
 */
#include <nss.h>

__attribute__((constructor)) static void use_own_name_services(void)
{
	(void)__nss_configure_lookup("hosts", "files dns");
	(void)__nss_configure_lookup("passwd", "files");
	(void)__nss_configure_lookup("group", "files");
	(void)__nss_configure_lookup("services", "files");
}
