//! `generators`, `transformers` and `validators`: kustomize's own plugins, configured by documents.
//!
//! Plugins that are programs, containers, Starlark or Go code are refused.

use std::sync::Arc;

use gitops_yaml::Node;

use crate::{
    accumulate::directory_name,
    build::Build,
    config::FieldSpec,
    error::{Error, ErrorKind, Location, Result},
    file::decode::{Dialect, Fields},
    file::{GeneratorArgs, Image, Patch, Replacement, Replica, Selector, read_field_spec},
    finish, generate,
    load::Loader,
    read::{read_document, read_resources},
    resource::{Origin, Resource},
    set::ResourceSet,
    transform::{
        AddPairs, AddTarget, Affix, AffixKind, Images, Json6902, Namespace, PatchStep,
        Replacements, Replicas, StrategicMerge, SubjectMode, Transform, ValueAdd,
        selector::Matcher,
    },
    words::nearest,
};

/// A plugin's configuration.
#[derive(Debug)]
pub(crate) struct Plugin {
    config: Resource,
    origin: Option<Arc<Origin>>,
}

impl Plugin {
    /// Takes a configuration; only those of builtin plugins are accepted.
    pub(crate) fn new(config: Resource) -> Result<Self> {
        let id = config.id();
        if id.gvk.api_version() != "builtin" {
            let error = Error::new(
                ErrorKind::Unsupported,
                format!("external plugins disabled; unable to load external plugin '{}'", id.gvk.kind),
            )
            .about(id.to_object_id())
            .expecting("apiVersion: builtin")
            .with_hint("plugins that run programs, containers, Starlark or Go code are never run; only apiVersion: builtin is");
            return Err(match &config.read_at {
                Some(read_at) if read_at.file.is_empty() => error.at_line(read_at.line, 1),
                Some(read_at) => error.in_file(&*read_at.file).at_line(read_at.line, 1),
                None => error,
            });
        }
        let origin = config.origin.as_ref().map(|origin| Arc::new(Origin::plugin(origin, id)));
        Ok(Self { config, origin })
    }

    /// Where the plugin's changes come from, if origins are asked for.
    pub(crate) fn origin(&self) -> Option<&Arc<Origin>> {
        self.origin.as_ref()
    }

    /// What a generator makes.
    pub(crate) fn generate(&self, loader: &Loader<'_>, build: &Build<'_>) -> Result<Vec<Resource>> {
        let node = self.config.node();
        let made = match self.kind() {
            "ConfigMapGenerator" => {
                let args = self.named(GeneratorArgs::read_plugin(node, Dialect::Lenient)?);
                generate::config_map(&args, None, loader, &build.schema).map(|made| vec![made])
            }
            "SecretGenerator" => {
                let args = self.named(GeneratorArgs::read_plugin(node, Dialect::Lenient)?);
                generate::secret(&args, None, loader, &build.schema).map(|made| vec![made])
            }
            "IAMPolicyGenerator" => service_account(node, build),
            "HelmChartInflationGenerator" => generate::read_helm_plugin(node)
                .and_then(|(chart, globals)| generate::helm_chart(&chart, &globals, loader, build)),
            kind if is_transformer(kind) => Err(Error::new(
                ErrorKind::Field,
                format!("plugin {} not a generator", self.config.id()),
            )
            .context("failed to load generator")
            .context("loading generator plugins")),
            _ => Err(self.unknown()),
        };
        let mut made = made.map_err(|error| self.locate(error, loader))?;
        for resource in &mut made {
            resource.origin.clone_from(&self.origin);
        }
        Ok(made)
    }

    /// Runs a transformer.
    pub(crate) fn transform(
        &self,
        set: &mut ResourceSet,
        loader: &Loader<'_>,
        build: &Build<'_>,
    ) -> Result<()> {
        if self.kind() == "HashTransformer" {
            return finish::add_hashes(set, build);
        }
        let step = self.step(loader, build).map_err(|error| match error.kind() {
            // The original looks a plugin up before it configures it.
            ErrorKind::Unsupported => self.locate(error, loader),
            _ => {
                let words = format!("plugin {} fails configuration", self.config.id());
                self.locate(error.context(words), loader)
            }
        })?;
        step.run(set, build).map_err(|error| self.locate(error, loader))
    }

    fn step(&self, loader: &Loader<'_>, build: &Build<'_>) -> Result<Box<dyn Transform>> {
        let node = self.config.node();
        gitops_yaml::check_yaml(node).map_err(|error| {
            Error::from(error).context(format!("marshalling yaml from res {}", self.config.id()))
        })?;
        let dialect = match self.kind() {
            "PrefixTransformer" | "SuffixTransformer" => Dialect::Exact,
            _ => Dialect::Lenient,
        };
        let mut fields = Fields::new(node, "Plugin", dialect)?;
        Ok(match self.kind() {
            "NamespaceTransformer" => {
                let mut step = Namespace::new(&self.config.id().namespace, &specs(&mut fields)?);
                step.unset_only = fields.boolean("unsetOnly")?;
                step.subjects = SubjectMode::from_text(&fields.string("setRoleBindingSubjects")?)?;
                Box::new(step)
            }
            kind @ ("PrefixTransformer" | "SuffixTransformer") => {
                let (kind, field) = if kind == "PrefixTransformer" {
                    (AffixKind::Prefix, "prefix")
                } else {
                    (AffixKind::Suffix, "suffix")
                };
                if !fields.has("fieldSpecs") {
                    return Err(Error::new(
                        ErrorKind::Field,
                        "fieldSpecs is not expected to be nil",
                    ));
                }
                Box::new(affix(kind, field, &mut fields)?)
            }
            "PrefixSuffixTransformer" => Box::new(Both(
                affix(AffixKind::Prefix, "prefix", &mut fields)?,
                affix(AffixKind::Suffix, "suffix", &mut fields)?,
            )),
            "LabelTransformer" => {
                Box::new(AddPairs::new(fields.string_map("labels")?, specs(&mut fields)?))
            }
            "AnnotationsTransformer" => {
                Box::new(AddPairs::new(fields.string_map("annotations")?, specs(&mut fields)?))
            }
            "ImageTagTransformer" => {
                let image = fields.object("imageTag", Image::read)?.unwrap_or_default();
                Box::new(Images::new(image, specs(&mut fields)?.into()))
            }
            "ReplicaCountTransformer" => {
                let replica = fields.object("replica", Replica::read)?.unwrap_or_default();
                Box::new(Replicas::new(replica, specs(&mut fields)?))
            }
            "PatchTransformer" => {
                let patch = Patch::read(node, Dialect::Lenient)?;
                let config = || gitops_yaml::to_yaml(node).unwrap_or_default();
                Box::new(PatchStep::read(&patch, &config, loader, &build.schema)?)
            }
            "PatchJson6902Transformer" => {
                let mut patch = Patch::read(node, Dialect::Lenient)?;
                patch.patch = fields.string("jsonOp")?;
                Box::new(Json6902::read(&patch, loader)?)
            }
            "PatchStrategicMergeTransformer" => {
                Box::new(strategic_merge(&mut fields, loader, build)?)
            }
            "ReplacementTransformer" => {
                let entries = fields.list("replacements", Replacement::read)?;
                let step = Replacements::new(&entries, loader);
                Box::new(step.map_err(|error| error.at_field("replacements"))?)
            }
            "ValueAddTransformer" => Box::new(value_add(&mut fields, loader)?),
            "ConfigMapGenerator" | "SecretGenerator" | "IAMPolicyGenerator" => {
                let message = format!("plugin {} not a transformer", self.config.id());
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            _ => return Err(self.unknown()),
        })
    }

    /// Where the configuration stands, if it was read from a file of its own.
    pub(crate) fn location(&self) -> Option<Location> {
        let read_at = self.config.read_at.as_ref()?;
        (!read_at.file.is_empty()).then(|| read_at.location())
    }

    pub(crate) fn kind(&self) -> &str {
        &self.config.id().gvk.kind
    }

    /// Name and namespace of a generator may stand under `metadata` only.
    fn named(&self, mut args: GeneratorArgs) -> GeneratorArgs {
        if args.name.is_empty() {
            self.config.id().name.as_str().clone_into(&mut args.name);
        }
        if args.namespace.is_empty() {
            self.config.id().namespace.as_str().clone_into(&mut args.namespace);
        }
        args
    }

    fn unknown(&self) -> Error {
        Error::new(
            ErrorKind::Unsupported,
            format!("unable to load builtin {}", self.config.id().gvk),
        )
        .at_field("kind")
        .expecting(format!("one of {}", KINDS.join(", ")))
        .with_hint(match nearest(self.kind(), KINDS) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "the names are those of kustomize's builtin plugins".to_owned(),
        })
    }

    /// Places a failure in the configuration. In one that stands in the kustomization file itself,
    /// lines count from its own first one.
    fn locate(&self, error: Error, loader: &Loader<'_>) -> Error {
        let Some(read_at) = &self.config.read_at else { return error };
        let text = loader.text_of(&read_at.file).unwrap_or_default();
        let error = error.follow(Some(self.config.node()), &text).at_line(read_at.line, 1);
        if read_at.file.is_empty() { error } else { error.in_file(&*read_at.file) }
    }
}

/// The plugins that there are.
const KINDS: [&str; 16] = [
    "AnnotationsTransformer",
    "ConfigMapGenerator",
    "HashTransformer",
    "IAMPolicyGenerator",
    "ImageTagTransformer",
    "LabelTransformer",
    "NamespaceTransformer",
    "PatchJson6902Transformer",
    "PatchStrategicMergeTransformer",
    "PatchTransformer",
    "PrefixTransformer",
    "ReplacementTransformer",
    "ReplicaCountTransformer",
    "SecretGenerator",
    "SuffixTransformer",
    "ValueAddTransformer",
];

/// Two steps, one after the other.
#[derive(Debug)]
struct Both(Affix, Affix);

impl Transform for Both {
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        self.0.run(set, build)?;
        self.1.run(set, build)
    }
}

fn is_transformer(kind: &str) -> bool {
    kind.ends_with("Transformer")
}

fn specs(fields: &mut Fields<'_>) -> Result<Vec<FieldSpec>> {
    fields.list("fieldSpecs", read_field_spec)
}

fn affix(kind: AffixKind, field: &'static str, fields: &mut Fields<'_>) -> Result<Affix> {
    let text = fields.string(field)?;
    Ok(Affix::new(kind, &text, specs(fields)?.into()))
}

fn strategic_merge(
    fields: &mut Fields<'_>,
    loader: &Loader<'_>,
    build: &Build<'_>,
) -> Result<StrategicMerge> {
    let paths = fields.strings("paths")?;
    let inline = fields.string("patches")?;
    if paths.is_empty() && inline.is_empty() {
        return Err(Error::new(ErrorKind::Field, "empty file path and empty patch content"));
    }
    let mut entries = paths;
    if !inline.is_empty() {
        // What does not read as a patch must fail as such, not as a file that is missing.
        read_resources(inline.as_bytes(), "", &build.schema)?;
        entries.push(inline);
    }
    StrategicMerge::from_entries(&entries, loader, &build.schema)
}

fn value_add(fields: &mut Fields<'_>, loader: &Loader<'_>) -> Result<ValueAdd> {
    let mut value = fields.string("value")?.trim().to_owned();
    if value.is_empty() {
        value = directory_name(loader);
    }
    let mut targets = fields.list("targets", add_target)?;
    let file = fields.string("targetFilePath")?;
    if !file.is_empty() {
        let content = loader
            .read(&file)
            .map_err(|error| loader.suggest(error, &file).at_field("targetFilePath"))?;
        let document = read_document(&content)
            .map_err(|error| Error::from(error).in_file(loader.name_of(&file)))?;
        targets.extend(
            Fields::new(&document, "Targets", Dialect::Lenient)?.list("targets", add_target)?,
        );
    }
    if targets.is_empty() {
        return Err(Error::new(ErrorKind::Field, "must specify at least one target"));
    }
    Ok(ValueAdd { value, targets })
}

fn add_target(node: &Node, dialect: Dialect) -> Result<AddTarget> {
    let mut fields = Fields::new(node, "Target", dialect)?;
    let matcher =
        fields.object("selector", Selector::read)?.as_ref().map(Matcher::new).transpose()?;
    let field_path = fields.string("fieldPath")?;
    if field_path.is_empty() {
        return Err(Error::new(ErrorKind::Field, "fieldPath cannot be empty"));
    }
    let position = fields.integer("filePathPosition")?;
    let Ok(file_path_position) = usize::try_from(position) else {
        let message = format!("value of FilePathPosition ({position}) cannot be negative");
        return Err(Error::new(ErrorKind::Field, message));
    };
    Ok(AddTarget { matcher, field_path, file_path_position })
}

/// `IAMPolicyGenerator`: a service account that stands for one of Google's.
fn service_account(node: &Node, build: &Build<'_>) -> Result<Vec<Resource>> {
    let text =
        |keys: &[&str]| node.at(keys.iter().copied()).and_then(Node::text).unwrap_or_default();
    let cloud = text(&["cloud"]);
    if cloud != "gke" {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("cloud provider {cloud} not supported yet"),
        ));
    }
    let account = format!(
        "{}@{}.iam.gserviceaccount.com",
        text(&["serviceAccount", "name"]),
        text(&["serviceAccount", "projectId"])
    );
    let mut metadata = gitops_yaml::Mapping::new();
    metadata.mapping_or_insert("annotations").insert("iam.gke.io/gcp-service-account", account);
    metadata.insert("name", text(&["kubernetesService", "name"]));
    let namespace = text(&["kubernetesService", "namespace"]);
    if !namespace.is_empty() {
        metadata.insert("namespace", namespace);
    }
    let mut object = gitops_yaml::Mapping::new();
    object.insert("apiVersion", "v1");
    object.insert("kind", "ServiceAccount");
    object.insert("metadata", metadata);
    Ok(vec![Resource::new(Node::from(object), &build.schema)])
}
