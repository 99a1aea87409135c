"""The MetadataStore on MySQL and MariaDB: the same statements, on pooled connections and row locks."""
