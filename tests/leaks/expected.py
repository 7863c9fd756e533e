"""What the catalog cannot tell: what is meant. A login, a view or a function that is missing here fails by its name."""

from __future__ import annotations

from enum import Enum


class Sees(Enum):
    """How much mail a login may ever see."""

    ITS_TENANT = "the tenant that is set"
    ONE_TENANT = "one tenant, whatever is set"
    EVERYBODY = "every tenant, to write nothing"
    NO_MAIL = "no mail at all"


LOGINS = {
    "email_owner": Sees.ITS_TENANT,
    "email_service": Sees.ITS_TENANT,
    "email_worker": Sees.ITS_TENANT,
    "email_readonly": Sees.ITS_TENANT,
    "email_backup": Sees.EVERYBODY,
    "email_replication": Sees.NO_MAIL,
    "email_monitor": Sees.NO_MAIL,
}
_OF_ONE_TENANT = "email_tenant_"


def sees(login: str) -> Sees | None:
    """None for a login that nobody has thought of."""
    return LOGINS.get(login) or (Sees.ONE_TENANT if login.startswith(_OF_ONE_TENANT) else None)


def called(login: str) -> str:
    """How the lists below name it: all logins of single tenants are alike."""
    return f"{_OF_ONE_TENANT}login" if sees(login) is Sees.ONE_TENANT else login


MEMBERSHIPS = {("email_monitor", "pg_monitor"), ("email_tenant_login", "email_tenant_login")}
"""Which login may become, or has the rights of, which role."""

NOT_OF_A_TENANT = {"email_schema_migrations", "email_moves", "email_workers", "email_admin_keys"}
"""Tables without tenant_id: what stands in them is the same for everybody, or for operators alone, or of the machines."""

KEYS_WITHOUT_A_TENANT = {
    "email_schema_migrations_pkey",
    "email_moves_pkey",
    "email_admin_keys_pkey",
    "email_workers_pkey",
    "idx_email_tenants_name",
}
"""Unique keys over all tenants. A move is known by a hash; the name of a tenant is given by operators only."""

OF_ACCOUNTS = {
    "email_accounts",
    "email_placements",
    "email_blobs",
    "email_blob_pieces",
    "email_audit_log",
    "email_purged_uids",
    "email_recipients",
}
"""Tables that belong to accounts without a column that says so."""

POLICIES_FOR_ALL_TENANTS = {
    ("email_tenants", "email_owner"),  # its functions find a tenant by name
    ("email_api_keys", "email_owner"),  # and by the hash of a key
    ("email_sync_jobs", "email_owner"),  # its functions find what is due, where no tenant is set
    ("email_webhooks", "email_owner"),  # and which of them are to be told something
    ("email_webhook_wakes", "email_owner"),
    ("email_folders", "email_search"),
    ("email_messages", "email_search"),
    ("email_placements", "email_search"),
    ("email_search_entries", "email_search"),
}
"""Which role has a policy that shows it every tenant's rows, and where."""

SEES_ALL_ROWS = {
    ("email_owner", "email_tenants"),
    ("email_owner", "email_sync_jobs"),
    ("email_owner", "email_api_keys"),
    ("email_owner", "email_webhooks"),
    ("email_owner", "email_webhook_wakes"),
}
"""Which login that is bound to a tenant sees all rows of a table nevertheless; but for tenants only where none is set."""

NEVER_READ_BY = {
    "email_credentials": {"email_service", "email_readonly", "email_monitor"},
    "email_api_keys": {"email_service", "email_readonly", "email_monitor"},
    "email_admin_keys": {"email_service", "email_worker", "email_readonly", "email_monitor"},
}
"""Tables that not even their own tenant's rows may be read from."""

FUNCTIONS = {
    "email_account_owned": set(),
    "email_admin_admitted": set(),
    "email_admin_key_create": {"email_service"},
    "email_admin_tenant_create": {"email_service"},
    "email_admin_tenant_list": {"email_service"},
    "email_api_key_of": {"email_service"},
    "email_audit_append": {"email_service", "email_worker"},
    "email_audit_drop": set(),
    "email_audit_month": set(),
    "email_count_changed": set(),
    "email_count_placed": set(),
    "email_count_removed": set(),
    "email_lay_policies": set(),
    "email_forget_secrets": {"email_service", "email_worker"},
    "email_recount_folders": {"email_worker"},
    "email_refresh_statistics": {"email_worker"},
    "email_search_among": set(),
    "email_refuse_held": set(),
    "email_refuse_suspended": set(),
    "email_search_condition": set(),
    "email_search_hits": set(),
    "email_search_messages": {"email_service", "email_worker", "email_readonly", "email_tenant_login"},
    "email_search_new": {"email_worker"},
    "email_send_schedule": set(),
    "email_sends_claim": {"email_worker"},
    "email_sync_claim": {"email_worker"},
    "email_sync_schedule": set(),
    "email_tenant_create": set(),
    "email_tenant_list": {"email_worker"},
    "email_tenant_named": {"email_worker"},
    "email_tenant_sizes": set(),
    "email_webhook_gone": set(),
    "email_webhook_wake": set(),
    "email_webhooks_claim": {"email_worker"},
    "email_worker_beat": {"email_worker"},
    "email_worker_gone": {"email_worker"},
    "email_worker_list": {"email_worker"},
    "pg_slow_statements": {"pg_monitor", "email_monitor"},
    "pg_table_bloat_status": {"pg_monitor", "email_monitor"},
}
"""Which logins, besides the owner, may call a function."""

CROSSES_TENANTS = {
    "email_audit_drop",
    "email_sends_claim",
    "email_sync_claim",
    "email_tenant_create",
    "email_tenant_list",
    "email_tenant_named",
    "email_tenant_sizes",
    "email_webhooks_claim",
}
"""Functions that tell of other tenants, for operators and workers."""
