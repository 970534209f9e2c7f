//! What a killed process leaves on a local disk and an object store does not list: unfinished
//! files, and folders without one.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::garbage::{Found, Place};
use super::relation::Layer;
use super::store::Store;
use crate::error::{Error, Result};

impl Store {
    /// Files that a process was writing when it was killed, on a local disk; of other stores
    /// [`Store::unfinished`] tells.
    pub async fn staged_files(&self) -> Result<Vec<Found>> {
        let found = self.each_version_folder(|folder, path| {
            let mut found = vec![];
            for entry in entries(folder)? {
                let name = entry.file_name().to_string_lossy().into_owned();
                let Some(Place { unfinished: true, .. }) = Place::parse(&format!("{path}/{name}"))
                else {
                    continue;
                };
                let meta = match entry.metadata() {
                    // It was finished meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    meta => meta?,
                };
                let modified = DateTime::<Utc>::from(meta.modified()?);
                found.push(Found { path: format!("{path}/{name}"), size: meta.len(), modified });
            }
            Ok(found)
        });
        Ok(found.await?.into_iter().flatten().collect())
    }

    /// Removes an object or an unfinished upload; one that is gone already is no error.
    pub async fn sweep(&self, found: &str) -> Result<()> {
        match self.local(found) {
            Some(file) if found.contains('#') => match tokio::fs::remove_file(&file).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    let failed = format!("cannot remove `{}`", file.display());
                    Err(Error::io(failed).with_source(error))
                }
                _ => Ok(()),
            },
            _ => self.delete(found).await,
        }
    }

    /// Removes the folders of versions made before `time` that hold nothing, and those of relations
    /// that hold nothing then.
    pub async fn clear_empty_folders(&self, time: DateTime<Utc>) -> Result<()> {
        let cleared = self.each_version_folder(move |folder, path| {
            let place = Place::parse(&format!("{path}/_manifest.json"));
            if place.is_some_and(|place| place.time < time) {
                // Fails where there is something in it.
                let _ = fs::remove_dir(folder);
                let _ = folder.parent().map(fs::remove_dir);
            }
            Ok(())
        });
        cleared.await.map(|_| ())
    }

    /// Visits the folders that look like versions, with their paths below the warehouse.
    async fn each_version_folder<T: Send + 'static>(
        &self,
        visit: impl Fn(&Path, &str) -> io::Result<T> + Send + 'static,
    ) -> Result<Vec<T>> {
        let layers = Layer::ALL.iter().filter_map(|layer| {
            let name = layer.name();
            Some((name, self.local(name)?))
        });
        let layers: Vec<(&str, PathBuf)> = layers.collect();
        let visiting = tokio::task::spawn_blocking(move || {
            let mut visited = vec![];
            for (layer, folder) in layers {
                for relation in entries(&folder)? {
                    for version in entries(&relation.path())? {
                        let names = (relation.file_name(), version.file_name());
                        let (Some(relation), Some(name)) = (names.0.to_str(), names.1.to_str())
                        else {
                            continue;
                        };
                        if version.file_type()?.is_dir() {
                            let path = format!("{layer}/{relation}/{name}");
                            visited.push(visit(&version.path(), &path)?);
                        }
                    }
                }
            }
            io::Result::Ok(visited)
        });
        let visited = visiting.await.map_err(|error| {
            Error::internal("a walk over the warehouse died").with_source(error)
        })?;
        visited.map_err(|error| {
            Error::io(format!("the warehouse `{}` cannot be listed", self.location()))
                .with_source(error)
        })
    }
}

/// What is in a folder; nothing in a file or where there is no such folder.
fn entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(vec![]),
            _ => Err(error),
        },
    }
}
