//! Places for a warehouse, opened in this process.
#![allow(clippy::unwrap_used)]

use pipeline::config::{Overrides, Settings};
use pipeline::warehouse::{Store, Stores};

use super::Project;
use super::s3::{Server, prefix, servers};

/// A warehouse of a test.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    _project: Project,
}

/// A local warehouse and one on each server, all empty.
pub(crate) fn places() -> Vec<Place> {
    let local = Place::open(Project::new(), "local");
    std::iter::once(local).chain(servers().iter().map(|server| Place::on(server, ""))).collect()
}

impl Place {
    /// A new warehouse on a server, with further tables of the configuration.
    pub(crate) fn on(server: &Server, tables: &str) -> Self {
        Self::at(server, &format!("s3://warehouse/{}", prefix()), tables)
    }

    /// A location on a server as a warehouse.
    pub(crate) fn at(server: &Server, location: &str, tables: &str) -> Self {
        let mut project = Project::new();
        project.file("credentials", server.credentials());
        let more = format!("credentials_file = \"../credentials\"\n{tables}");
        project.configure(server, location, &more);
        Self::open(project, &server.name)
    }

    fn open(project: Project, name: &str) -> Self {
        let settings = Settings::load(&project.path("sql"), &Overrides::default()).unwrap();
        let store = Store::open(&settings, &Stores::new(&settings.s3)).unwrap();
        Self { name: name.to_owned(), store, settings, _project: project }
    }

    /// Keys of the uploads that were begun and not ended, for tests without a runtime.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        let found = runtime().block_on(self.store.unfinished()).unwrap();
        found.into_iter().map(|(_, upload)| upload.key).collect()
    }

    /// Writes an object below the warehouse under a key of any characters.
    pub(crate) fn put(&self, below: &str, content: impl Into<Vec<u8>>) -> &Self {
        use datafusion::object_store::{ObjectStoreExt, path::Path};
        let root = self.store.path("").to_string();
        let key = Path::parse(format!("{root}/{below}")).unwrap();
        let put = self.store.object_store("").put(&key, content.into().into());
        runtime().block_on(put).unwrap();
        self
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}
